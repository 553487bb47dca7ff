"""Pause, resume, cancel, and what holds a run up: full disks, vanished mounts, Apple's limits."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select

from custom_components.media_pipeline.engine.catalog.schema import resources
from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.errors import HeldBack, NoActiveRun, RunActive
from custom_components.media_pipeline.engine.marker import MARKER_NAME, marker_text
from custom_components.media_pipeline.engine.model import (
    DEFAULT_STAGES,
    ORIGINAL_ROLES,
    ResourceState,
    RunOutcome,
    RunStatus,
    Stage,
)
from tests.support.disks import SmallDisk, can_mount

from .harness import World, make_world, media_files, run, stats


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch, assets=12) as made:
        yield made


async def test_pause_resume_cancel_and_progress(world: World) -> None:
    world.stand_in.fault("content", latency_ms=60)
    world.downloads = 2
    async with world.core() as core:
        run_id = await core.runs.start(DEFAULT_STAGES, "test")
        with pytest.raises(RunActive):
            await core.runs.start(DEFAULT_STAGES, "test")
        await _until(lambda: len(media_files(world.archive)) >= 2)
        await core.runs.pause("test")
        assert _status(core) == "paused"
        await asyncio.sleep(0.4)  # what was under way ends
        held = len(media_files(world.archive))
        await asyncio.sleep(0.5)
        assert len(media_files(world.archive)) == held < 12
        await core.runs.resume("test")
        await _until(lambda: len(media_files(world.archive)) > held)
        progress = core.board.snapshot.run
        assert progress is not None
        assert progress.run_id == run_id
        await core.runs.cancel("test")
        summary = await core.runs.wait(run_id)
        assert summary.outcome is RunOutcome.CANCELLED
        assert _status(core) == "idle"
        with pytest.raises(NoActiveRun):
            await core.runs.pause("test")
        world.stand_in.control("clear_faults")
        summary = await run(core)
        assert summary.outcome is RunOutcome.COMPLETED
        assert (await stats(core)).protected == 12
    kinds = [event.type for event in world.events if event.type != "code_required"]
    assert kinds == ["run_started", "run_cancelled", "run_started", "run_completed"]


def _status(core: Core) -> str:
    return str(core.board.snapshot.status)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


async def test_progress_numbers_add_up(world: World) -> None:
    world.stand_in.fault("content", latency_ms=200)
    world.downloads = 1
    async with world.core() as core:
        run_id = await core.runs.start((Stage.INGEST,), None)
        await _until(lambda: (core.board.snapshot.run is not None) and _ingested(core) >= 3)
        progress = core.board.snapshot.run
        assert progress is not None
        part = progress.stages[Stage.INGEST]
        assert 0 < part.done <= part.total
        assert 0 < part.bytes_done <= part.bytes_total
        assert 0 < progress.percent <= 100
        assert progress.rate > 0
        assert progress.status is RunStatus.INGEST
        summary = await core.runs.wait(run_id)
        files = sum(len(asset["roles"]) for asset in world.stand_in.assets())
        assert summary.counts["ingest_done"] == files


def _ingested(core: Core) -> int:
    run_now = core.board.snapshot.run
    part = run_now.stages.get(Stage.INGEST) if run_now else None
    return part.done if part else 0


async def test_the_archives_marker_is_gone(world: World) -> None:
    async with world.core() as core:
        (world.archive / MARKER_NAME).unlink()
        summary = await run(core)
        assert summary.outcome is RunOutcome.FAILED
        assert summary.error == "marker_missing"
        assert media_files(world.archive) == []
        (world.archive / MARKER_NAME).write_text(marker_text("somebody else"))
        summary = await run(core)
        assert summary.error == "marker_foreign"
        assert core.board.snapshot.problems == ("marker_foreign",)


async def test_a_target_that_vanished_does_not_hold_the_rest(world: World) -> None:
    async with world.core() as core:
        await run(core, Stage.INGEST)
        await run(core, Stage.SYNC)
        (world.target / MARKER_NAME).unlink()
        for path in media_files(world.target):
            path.unlink()
        world.stand_in.control("add", count=2)
        summary = await run(core)
        assert summary.outcome is RunOutcome.COMPLETED_WITH_PROBLEMS
        assert (await core.board.refresh()).targets["disk"].state == "marker_missing"
        assert (await stats(core)).archived == 14
        assert media_files(world.target) == []


async def test_a_full_archive_stops_ingest_and_goes_on_later(world: World, tmp_path: Path) -> None:
    if not can_mount():
        pytest.skip("mounting a small tmpfs needs root")
    disk = SmallDisk(tmp_path / "archive", megabytes=2)
    disk.mount()
    try:
        async with world.core() as core:
            summary = await run(core, Stage.INGEST)
            assert summary.error == "target_full"
            assert core.board.snapshot.problems == ("target_full",)
            whole = media_files(world.archive)
            by_size = {
                f["size"] for asset in world.stand_in.assets() for f in asset["roles"].values()
            }
            assert all(path.stat().st_size in by_size for path in whole)
            assert (await stats(core)).archived < 12
    finally:
        disk.unmount()


async def test_throttled_listing_says_so_and_loses_nothing(world: World) -> None:
    async with world.core() as core:
        world.stand_in.fault("query", status=503, headers={"Retry-After": "1"}, times=1)
        summary = await run(core, Stage.INGEST)
        assert summary.outcome is RunOutcome.COMPLETED, summary
        world.stand_in.control("add", count=1)
        world.stand_in.fault("changes_database", status=503, headers={"Retry-After": "3600"})
        summary = await run(core, Stage.INGEST)
        assert summary.error == "throttled"
        world.stand_in.control("clear_faults")
        with pytest.raises(HeldBack):  # test_throttling.py tells how it goes on
            await run(core, Stage.INGEST)
        assert (await stats(core)).archived == 12


async def test_a_lost_session_pauses_only_ingest_and_asks_once(world: World) -> None:
    async with world.core() as core:
        await run(core, Stage.INGEST)
        world.stand_in.control("logout_all")
        world.stand_in.control("untrust")
        sent = world.stand_in.counts()["codes_sent"]
        for _ in range(3):
            summary = await run(core)
            assert summary.error == "code_required"
        numbers = await stats(core)
        assert numbers.protected == 12  # sync and verify went on
        assert core.board.snapshot.authenticated is False
        assert world.stand_in.counts()["codes_sent"] <= sent + 1
        await core.account.submit_code(world.stand_in.code)
        summary = await run(core)
        assert summary.outcome is RunOutcome.COMPLETED, summary
        assert core.board.snapshot.authenticated is True


def _archived(connection: Connection) -> int:
    query = select(func.count()).where(
        resources.c.state == ResourceState.ARCHIVED, resources.c.role.in_(ORIGINAL_ROLES)
    )
    return connection.execute(query).scalar_one()


async def test_a_run_ends_when_its_time_is_used_up_and_the_next_one_goes_on(world: World) -> None:
    world.stand_in.fault("content", latency_ms=300)
    world.downloads = 1
    async with world.core() as core:
        began = asyncio.get_running_loop().time()
        summary = await core.runs.wait(await core.runs.start(DEFAULT_STAGES, "test", 2.0))
        assert asyncio.get_running_loop().time() - began < 4.0
        assert summary.outcome is RunOutcome.COMPLETED
        assert summary.out_of_time
        # what the catalog knows: a file may lie there already when the time is over
        first = await core.catalog.read(_archived)
        assert 0 < first < 12
        world.stand_in.control("clear_faults")
        summary = await run(core)
        assert not summary.out_of_time
        assert summary.counts["ingest_done"] == len(media_files(world.archive)) - first
        assert (await stats(core)).protected == 12
