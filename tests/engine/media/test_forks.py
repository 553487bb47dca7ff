"""The process that children are forked from: there once, clean, and never missed for long."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.errors import (
    MediaWorkerCrashed,
    MediaWorkerMemory,
    MediaWorkerTimeout,
)
from custom_components.media_pipeline.engine.media import forks as forks_module
from custom_components.media_pipeline.engine.media.jobs import CompressJob
from tests.support.pools import Pools

from . import making
from .processes import LEFT_ALONE, led_astray, servers, worker_astray, workers

_STREAMS = """links = [os.readlink(f'/proc/self/fd/{n}') for n in range(3)]
assert all(link.startswith('socket:') for link in links), links
assert len(os.listdir('/proc/self/fd')) == 4, os.listdir('/proc/self/fd')
assert os.getsid(0) == os.getpid()
assert open('/proc/self/oom_score_adj').read().strip() == '900'"""


def leaves_alone(after: str) -> tuple[str, ...]:
    """A server whose children do something first."""
    return worker_astray(f"{after}\n{LEFT_ALONE}\nos._exit(0)")


def job(folder: Path, name: str = "b.jpg") -> CompressJob:
    source = folder / "a.jpg"
    if not source.exists():
        making.full_jpeg(source)
    return CompressJob(source, folder / name, "photo")


async def until_gone(processes: set[int]) -> None:
    async with asyncio.timeout(10):
        while (servers() | workers()) & processes:
            await asyncio.sleep(0.02)


async def test_one_server_for_many_files(tmp_path: Path, pools: Pools) -> None:
    before, pool = servers(), pools(workers=2)
    jobs = (pool.compress(job(tmp_path, f"{number}.jpg")) for number in range(6))
    assert all(result.kept for result in await asyncio.gather(*jobs))
    (server,) = servers() - before
    assert (await pool.probe(tmp_path / "a.jpg")).width == 480
    assert servers() - before == {server}
    # a process with threads could not be forked without danger
    assert len(list(Path(f"/proc/{server}/task").iterdir())) == 1
    await pool.close()
    assert servers() <= before


async def test_a_child_has_its_streams_and_no_more_and_is_killed_first(
    tmp_path: Path, pools: Pools
) -> None:
    pool = pools(server=leaves_alone(_STREAMS), workers=2)
    jobs = (pool.compress(job(tmp_path)) for _ in range(4))
    assert {result.reason for result in await asyncio.gather(*jobs)} == {"png"}


async def test_a_server_that_dies_costs_what_was_under_way(tmp_path: Path, pools: Pools) -> None:
    before = servers()
    pool = pools(server=leaves_alone("'slow' in job['partial'] and time.sleep(60)"))
    task = asyncio.create_task(pool.compress(job(tmp_path, "slow.jpg")))
    async with asyncio.timeout(10):
        while not workers():
            await asyncio.sleep(0.02)
    gone = (servers() - before) | workers()
    (server,) = servers() - before
    os.kill(server, signal.SIGKILL)
    with pytest.raises(MediaWorkerMemory):  # the kernel kills so when memory runs out
        await task
    await until_gone(gone)
    assert (await pool.compress(job(tmp_path))).reason == "png"
    assert len(servers() - before) == 1


async def test_a_server_that_does_not_load(tmp_path: Path, pools: Pools) -> None:
    pool = pools(server=led_astray("raise ValueError('no such thing')"))
    with pytest.raises(MediaWorkerCrashed, match="no such thing"):
        await pool.compress(job(tmp_path))


async def test_a_server_that_hangs(
    tmp_path: Path, pools: Pools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forks_module, "_PATIENCE", 0.3)
    before, pool = servers(), pools(server=led_astray("import time; time.sleep(60)"), timeout=0.3)
    with pytest.raises(MediaWorkerTimeout):
        await pool.compress(job(tmp_path))
    assert servers() <= before


async def test_it_goes_when_nobody_needs_it(
    tmp_path: Path, pools: Pools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forks_module, "_IDLE", 0.2)
    before, pool = servers(), pools()
    for name in ("b.jpg", "c.jpg"):
        assert (await pool.compress(job(tmp_path, name))).kept
        await until_gone(servers() - before)


async def test_it_stays_while_a_child_works(
    tmp_path: Path, pools: Pools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forks_module, "_IDLE", 0.1)
    code = "'slow' in job['partial'] and time.sleep(1)"
    pool = pools(server=leaves_alone(code), workers=2)
    slow = asyncio.create_task(pool.compress(job(tmp_path, "slow.jpg")))
    assert (await pool.compress(job(tmp_path))).reason == "png"
    assert (await slow).reason == "png"
