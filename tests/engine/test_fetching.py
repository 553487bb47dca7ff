"""Downloads in child processes: what becomes of them when a child dies, hangs or is not wanted."""

import asyncio
import hashlib
import os
import pickle
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.bandwidth import Bandwidth
from custom_components.media_pipeline.engine.children import start_command
from custom_components.media_pipeline.engine.control import Control
from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.fetching import child as child_module
from custom_components.media_pipeline.engine.fetching import pool as pool_module
from custom_components.media_pipeline.engine.fetching.order import Order
from custom_components.media_pipeline.engine.fetching.pool import Fetchers
from custom_components.media_pipeline.engine.fetching.traffic import Traffic
from custom_components.media_pipeline.engine.model import AssetRecord, RunOutcome, Stage
from custom_components.media_pipeline.engine.sources.icloud.source import ICloudSource

from .harness import World, make_world
from .truth import missing_files, wrong_files

SIZE = 6_000_000
STARTED = 500_000
FILMS = 8
AT_ONCE = 6  # one child may have taken more of them than it has turns for
SLOW = 1_500_000  # bytes per second of each download


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch, assets=1, real=0) as made:
        made.stand_in.control("add", kind="video", size=SIZE, count=FILMS)
        yield made


def fetchers(core: Core) -> Fetchers:
    assert isinstance(core.source, ICloudSource)
    return core.source._fetchers


def parts(world: World) -> dict[str, int]:
    """Part files and how much they hold."""
    folder = world.archive / ".media_pipeline/parts"
    return {path.name: path.stat().st_size for path in folder.glob("*.part")}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@asynccontextmanager
async def in_the_middle(world: World) -> AsyncIterator[tuple[Core, str, list[int]]]:
    """A core whose run has written parts of most films; the run's id and the children."""
    world.stand_in.fault("content", rate=SLOW)
    async with world.core() as core:
        run_id = await core.runs.start((Stage.INGEST,), "test")
        await until(lambda: sum(size >= STARTED for size in parts(world).values()) >= AT_ONCE)
        yield core, run_id, fetchers(core).pids


async def ends_well(world: World, core: Core, run_id: str) -> None:
    summary = await core.runs.wait(run_id)
    assert summary.outcome is RunOutcome.COMPLETED, summary
    assert missing_files(world.stand_in, world.archive) == 0
    assert wrong_files(world.stand_in, world.archive) == 0
    assert fetchers(core).pids == []


def total(world: World) -> int:
    return sum(f["size"] for a in world.stand_in.assets() for f in a["roles"].values())


def sockets_to(port: int, pid: int) -> int:
    """How many connections to a local port a process has."""
    lines = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    there = {f"socket:[{f[9]}]" for f in lines if int(f[2].split(":")[1], 16) == port}
    held = (os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink())
    return sum(name in there for name in held)


async def test_the_bytes_go_to_children_and_no_address_is_shown(world: World) -> None:
    async with in_the_middle(world) as (core, run_id, pids):
        assert len(pids) == min(2, os.process_cpu_count() or 1)
        port = int(world.stand_in.proxy.rpartition(":")[2])
        assert sum(sockets_to(port, pid) for pid in pids) >= AT_ONCE
        assert sockets_to(port, os.getpid()) <= 4  # signed requests, one for each host
        for pid in pids:
            assert b"icloud-content" not in Path(f"/proc/{pid}/cmdline").read_bytes()
            assert b"icloud-content" not in Path(f"/proc/{pid}/environ").read_bytes()
        await ends_well(world, core, run_id)
    assert not any(map(alive, pids))


async def test_killed_children_cost_nothing_that_was_fetched(world: World) -> None:
    async with in_the_middle(world) as (core, run_id, pids):
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        await until(lambda: bool(fetchers(core).pids) and fetchers(core).pids != pids)
        await ends_well(world, core, run_id)
    # every film was continued: at most what lay in the connections was sent once more
    assert world.stand_in.counts()["content_bytes"] < total(world) + FILMS * 1_000_000
    assert world.stand_in.counts()["content"] >= FILMS + AT_ONCE


async def test_a_child_that_hangs_is_ended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "_SILENT_SECONDS", 1.5)
    async with in_the_middle(world) as (core, run_id, pids):
        os.kill(pids[0], signal.SIGSTOP)
        await until(lambda: pids[0] not in fetchers(core).pids)
        assert not alive(pids[0])
        await ends_well(world, core, run_id)


async def test_a_cancelled_run_stops_writing_and_leaves_no_process(world: World) -> None:
    async with in_the_middle(world) as (core, run_id, pids):
        async with asyncio.timeout(3):
            await core.runs.cancel("test")
        left = parts(world)
        assert len(left) >= AT_ONCE
        assert not any(map(alive, pids))
        assert fetchers(core).pids == []
        await asyncio.sleep(0.5)
        assert parts(world) == left
        assert (await core.runs.wait(run_id)).outcome is RunOutcome.CANCELLED
        before = world.stand_in.counts()["content_bytes"]
        world.stand_in.control("clear_faults")
        await ends_well(world, core, await core.runs.start((Stage.INGEST,), "test"))
    kept = sum(left.values())
    assert world.stand_in.counts()["content_bytes"] - before <= total(world) - kept + 1_000_000


async def test_a_pause_holds_the_children(world: World) -> None:
    async with in_the_middle(world) as (core, run_id, pids):
        await core.runs.pause("test")
        await asyncio.sleep(0.5)
        held = parts(world)
        assert len(held) >= AT_ONCE
        await asyncio.sleep(0.7)
        assert parts(world) == held
        assert fetchers(core).pids == pids
        await core.runs.resume("test")
        await ends_well(world, core, run_id)


async def test_without_children_all_is_fetched_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pool_module, "_DEATHS", 2)
    async with world.core() as core:
        fetchers(core)._command = (sys.executable, "-c", "raise SystemExit(7)")
        run_id = await core.runs.start((Stage.INGEST,), "test")
        await ends_well(world, core, run_id)
    assert "ended with 7" in caplog.text
    assert "icloud-content" not in caplog.text


async def test_children_end_with_the_engine(world: World) -> None:
    async with world.core():
        pass  # signed in
    world.stand_in.fault("content", rate=SLOW)
    config = world.root / "config.pickle"
    config.write_bytes(pickle.dumps(world.config()))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.engine.runner", str(config), Stage.INGEST),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        await until(lambda: len(parts(world)) >= FILMS)
        pids = [int(pid) for pid in _children(process.pid)]
        assert pids
    finally:
        process.kill()
        await process.wait()
    await until(lambda: not any(map(alive, pids)))
    left = parts(world)
    await asyncio.sleep(0.3)
    assert parts(world) == left


def _children(pid: int) -> list[str]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [child for task in tasks for child in (task / "children").read_text().split()]


@asynccontextmanager
async def one_film(world: World) -> AsyncIterator[tuple[Order, Traffic, Core]]:
    async with world.core() as core:
        (name,) = world.stand_in.control("add", kind="video", size=SIZE)["assets"]
        record = (await core.source.lookup([f"PrimarySync/{name}"]))[f"PrimarySync/{name}"]
        assert isinstance(record, AssetRecord)
        film = record.resources[0]
        assert film.url is not None
        part = world.root / "film.part"
        order = Order(film.url, str(part), film.size, film.checksum, ".mov")
        yield order, Traffic(Control(), Bandwidth(None), lambda _: None, 4), core


async def test_a_download_that_is_not_wanted_any_more_is_let_go_of(world: World) -> None:
    async with one_film(world) as (order, traffic, core):
        children, part = fetchers(core), Path(order.part)
        world.stand_in.fault("content", rate=SLOW)
        task = asyncio.create_task(children.save(order, traffic))
        await until(lambda: part.exists() and part.stat().st_size >= STARTED)
        pids = children.pids
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        left = part.stat().st_size
        assert left < SIZE
        await asyncio.sleep(0.4)
        assert part.stat().st_size == left
        world.stand_in.control("clear_faults")
        proof = await children.save(order, traffic)
        assert hashlib.sha256(part.read_bytes()).hexdigest() == proof.sha256
        assert children.pids == pids  # it did not have to be ended for that


async def test_a_child_never_sees_home_assistant(world: World) -> None:
    *command, start, engine = start_command("engine.fetching.worker")
    blocker = (
        "import sys\n"
        "class Blocker:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in {'homeassistant', 'custom_components', 'asyncio'}:\n"
        "            raise SystemExit(9)\n"
        "sys.meta_path.insert(0, Blocker())\n"
    )
    async with one_film(world) as (order, traffic, core):
        children = Fetchers(core.source.fetch, (*command, blocker + start, engine))
        try:
            await children.save(order, traffic)
            assert len(children.pids) == 1
        finally:
            await children.close()
    assert Path(order.part).stat().st_size == SIZE
