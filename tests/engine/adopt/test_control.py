"""Adopt and runs never meet; it can be paused and cancelled, and goes on where it was."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.adopt import reading
from custom_components.media_pipeline.engine.adopt.desk import adopt
from custom_components.media_pipeline.engine.adopt.report import FileClass, Request
from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.errors import RunActive, SourceUnreachable
from custom_components.media_pipeline.engine.marker import MARKER_NAME
from custom_components.media_pipeline.engine.model import RunOutcome, RunStatus, Stage
from tests.engine.harness import World, hashes, make_world, run

from . import trees
from .trees import pieces

ASSETS = 14


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch, ASSETS) as made:
        trees.icloudpd(tmp_path / "tree", pieces(made.stand_in, ASSETS))
        yield made


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def status(core: Core) -> RunStatus:
    return core.board.snapshot.status


async def test_never_beside_a_run(world: World) -> None:
    tree = world.root / "tree"
    async with world.core() as core:
        world.stand_in.fault("query", latency_ms=300)
        first = asyncio.create_task(adopt(core, Request(tree), "test"))
        await until(lambda: status(core) is RunStatus.INGEST)
        with pytest.raises(RunActive):
            await core.runs.start((Stage.INGEST,), "test")
        with pytest.raises(RunActive):
            await adopt(core, Request(tree), "test")
        assert (await first).complete
        world.stand_in.fault("content", latency_ms=300)
        run_id = await core.runs.start((Stage.INGEST,), "test")
        with pytest.raises(RunActive):
            await adopt(core, Request(tree), "test")
        await core.runs.cancel("test")
        await core.runs.wait(run_id)


@pytest.mark.parametrize("dry_run", [True, False])
async def test_cancelled_and_gone_on_with(
    world: World, monkeypatch: pytest.MonkeyPatch, dry_run: bool
) -> None:
    """What was read before is not read again, what was taken over stays."""
    monkeypatch.setattr(reading, "_READERS", 1)
    tree = world.root / "tree"
    request = Request(tree, dry_run=dry_run)
    async with world.core() as core:
        await adopt(core, Request(world.root / "tree" / "2026"), "test")
        await core.catalog.write(lambda c: c.exec_driver_sql("DELETE FROM found_files"))
        work = asyncio.create_task(adopt(core, request, "test"))
        await until(lambda: (core.board.snapshot.run or core.runs.active) is not None)
        await core.runs.pause("test")
        await asyncio.sleep(0.3)
        assert status(core) is RunStatus.PAUSED
        assert not work.done()
        await core.runs.cancel("test")
        report = await work
        assert (report.complete, report.notes) == (False, ["cancelled"])
        rest = await adopt(core, Request(tree, dry_run=False), "test")
        files = len(pieces(world.stand_in, ASSETS))
        assert rest.complete
        assert rest.read.files == files - report.read.files
        assert rest.left.files == 0
        assert (await run(core, Stage.INGEST)).outcome is RunOutcome.COMPLETED
    assert world.stand_in.counts()["content_bytes"] == 0
    assert report.files.get(FileClass.ADOPTED) is None or not dry_run


async def test_iclouds_silence_is_an_error(world: World) -> None:
    async with world.core() as core:
        world.stand_in.fault("query|zones|changes.*", drop=True)
        with pytest.raises(SourceUnreachable):
            await adopt(core, Request(world.root / "tree"), "test")
        assert not hashes(world.archive)
        assert "source_unreachable" in core.board.snapshot.problems
        world.stand_in.control("clear_faults")
        report = await adopt(core, Request(world.root / "tree", dry_run=False), "test")
        assert report.left.files == 0


async def test_an_archive_that_is_not_there(world: World) -> None:
    async with world.core() as core:
        await adopt(core, Request(world.root / "tree"), "test")
        (world.archive / MARKER_NAME).rename(world.root / "marker")
        with pytest.raises(Exception, match="marker") as caught:
            await adopt(core, Request(world.root / "tree", dry_run=False), "test")
        assert getattr(caught.value, "key", "") == "marker_missing"
        assert not hashes(world.archive)
