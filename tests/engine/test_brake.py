"""A place that reads wrong everywhere is left alone: most likely it is not the files."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.catalog import failures
from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.errors import CleanupStopped, ReadsWrong
from custom_components.media_pipeline.engine.model import RunOutcome, Stage
from custom_components.media_pipeline.engine.stages.brake import too_many

from .harness import World, hashes, media_files, run
from .years import ask, change, checked, journal, small_world, spoil, verify

ASSETS = 24


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(failures, "BACK_OFF", (0, 0, 0, 0, 0))
    with small_world(tmp_path, monkeypatch, assets=ASSETS) as made:
        yield made


def test_some_are_files_and_many_are_a_disk() -> None:
    assert not too_many(19, 19)
    assert too_many(20, 20)
    assert too_many(21, 400)
    assert not too_many(20, 400)
    assert not too_many(5000, 100_000)


async def _lost(core: Core) -> int:
    """Copies and archived files that were given up."""
    return await journal(core, "copy_lost") + await journal(core, "archive_damaged")


async def _unproven(core: Core) -> int:
    ((count,),) = await ask(core, "select count(*) from copies where state <> 'verified'")
    return int(count)


def _keep(place: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in media_files(place)}


def _put_back(kept: dict[Path, bytes]) -> None:
    for path, data in kept.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


async def _nothing_is_freed(core: Core, plan_id: str) -> None:
    with pytest.raises(ReadsWrong):
        await core.plans.plan(None, "test")
    with pytest.raises(ReadsWrong):
        await core.plans.execute(plan_id, False, "test")


async def _approved(core: Core) -> str:
    plan, _ = await core.plans.plan(None, "test")
    await core.plans.approve(plan.plan_id, "test")
    return plan.plan_id


async def test_a_target_that_reads_wrong_is_left_alone_until_it_reads_well(world: World) -> None:
    async with world.core() as core:
        await run(core)
        plan_id = await _approved(core)
        kept = _keep(world.target)
        for path in kept:
            spoil(path)
        bad = hashes(world.target)
        for _ in range(2):
            summary = await verify(core)
            assert (summary.outcome, summary.error) == (
                RunOutcome.COMPLETED_WITH_PROBLEMS,
                "reads_wrong",
            )
            assert hashes(world.target) == bad, "nothing is set aside and nothing sent"
            assert await _lost(core) == 0
            assert await _unproven(core) == 0
            assert core.board.snapshot.targets["disk"].state == "reads_wrong"
            assert core.board.snapshot.problems == (), "the source and the archive are fine"
            await _nothing_is_freed(core, plan_id)
    async with world.core() as core:  # kept over a restart
        world.stand_in.control("add")
        await run(core)
        assert core.board.snapshot.targets["disk"].state == "reads_wrong"
        assert hashes(world.target) == bad, "nothing new is sent to such a disk"
        await _nothing_is_freed(core, plan_id)
        _put_back(kept)  # the cable is plugged in again
        await verify(core)
        assert core.board.snapshot.targets["disk"].state == "ok"
        assert await journal(core, "brake_pulled") == await journal(core, "brake_released") == 1
        assert await _lost(core) == 0
        summary = await run(core)
        assert summary.outcome is RunOutcome.COMPLETED, summary
        assert hashes(world.target) == hashes(world.archive)
        await core.plans.plan(None, "test")


async def test_what_really_is_lost_is_mended_when_a_person_says_so(world: World) -> None:
    async with world.core() as core:
        await run(core)
        right = hashes(world.archive)
        for path in media_files(world.target)[: ASSETS - 2]:
            spoil(path)
        await verify(core)
        assert core.board.snapshot.targets["disk"].state == "reads_wrong"
        assert await core.go_on("disk", "someone")
        assert not await core.go_on("disk", "someone"), "nothing is held any more"
        assert core.board.snapshot.targets["disk"].state == "unknown"
        await verify(core, everything=False)
        there = {path: sha for path, sha in hashes(world.target).items() if "damaged" not in path}
        assert there == right
        assert await journal(core, "copy_lost") == ASSETS - 2
        assert await journal(core, "brake_released") == 1, "all was proven anew"
        assert core.targets.brakes == {}
        assert checked(world.target)
        ((actor,),) = await ask(core, "select actor from journal where action = 'brake_accepted'")
        assert actor == "someone"


@pytest.mark.parametrize("damage", ["rotten", "gone"])
async def test_an_archive_that_reads_wrong_is_left_alone(world: World, damage: str) -> None:
    async with world.core() as core:
        await run(core)
        plan_id = await _approved(core)
        right = hashes(world.archive)
        kept = _keep(world.archive)
        for path in kept:
            spoil(path) if damage == "rotten" else path.unlink()
        if damage == "gone":
            await change(
                core,
                "update settings set value = '1' || substr(value, 14) where key like 'glance/%'",
            )  # days ago
        bad = hashes(world.archive)
        world.stand_in.control("reset_counts")
        for _ in range(2):
            summary = await verify(core, everything=damage == "rotten")
            assert summary.error == "reads_wrong", summary
            assert core.board.snapshot.problems == ("reads_wrong",)
            now = {path: s for path, s in hashes(world.archive).items() if "damaged" not in path}
            assert len(bad) - len(now) < 20, "a few are noted before it shows that all are wrong"
            assert await _lost(core) < 20
            assert await journal(core, "archive_healed") == 0
            await _nothing_is_freed(core, plan_id)
        assert hashes(world.target) == right
        _put_back(kept)
        await verify(core)
        assert core.board.snapshot.problems == ()
        now = {path: s for path, s in hashes(world.archive).items() if "damaged" not in path}
        assert now == right
        assert world.stand_in.counts().get("content", 0) == 0


async def test_an_archive_that_is_lost_is_healed_when_a_person_says_so(world: World) -> None:
    async with world.core() as core:
        await run(core)
        right = hashes(world.archive)
        for path in media_files(world.archive):
            path.unlink()
        await verify(core)
        assert "reads_wrong" in core.board.snapshot.problems
        assert await core.go_on("archive", None)
        assert "reads_wrong" not in core.board.snapshot.problems
        await verify(core, everything=False)
        assert hashes(world.archive) == right
        assert core.targets.brakes == {}


async def test_a_cleanup_that_finds_it_stops(world: World) -> None:
    world.with_safety(max_proof_age_days=0, canary=100)
    async with world.core() as core:
        await run(core)
        plan_id = await _approved(core)
        for path in media_files(world.target):
            path.unlink()
        with pytest.raises(CleanupStopped) as caught:
            await core.plans.execute(plan_id, False, "test")
        assert caught.value.placeholders["reason"] == "reads_wrong"
        assert core.board.snapshot.targets["disk"].state == "reads_wrong"
        assert world.trashed() == set()


async def test_a_few_files_are_mended_by_themselves(world: World) -> None:
    async with world.core() as core:
        await run(core, Stage.INGEST, Stage.SYNC, Stage.VERIFY)
        right = hashes(world.archive)
        for path in media_files(world.target)[:5]:
            path.unlink()
        await verify(core)
        assert hashes(world.target) == right
        assert core.targets.brakes == {}
