"""What is missing or damaged is mended from proven bytes, and never the other way round."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.catalog import failures
from custom_components.media_pipeline.engine.model import RunOutcome, Stage

from .harness import World, hashes, media_files, run, stats
from .truth import missing_files, wrong_files
from .years import ask, change, checked, journal, small_world, spoil, verify, with_nas

ASIDE = "media_pipeline_damaged"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(failures, "BACK_OFF", (0, 0, 0, 0, 0))
    with small_world(tmp_path, monkeypatch) as made:
        yield made


def _good(folder: Path) -> dict[str, str]:
    """What lies where it belongs, without what was set aside."""
    return {path: sha for path, sha in hashes(folder).items() if ASIDE not in path}


def _told(world: World, kind: str) -> Counter[str]:
    told: Counter[str] = Counter()
    for event in world.events:
        if event.type == kind:
            told[str(event.data["reason"])] += int(event.data["files"] or 0)
    return told


async def test_a_rotten_copy_is_set_aside_and_sent_anew_under_its_name(world: World) -> None:
    async with with_nas(world) as nas, world.core() as core:
        await run(core)
        right = hashes(world.archive)
        for place in (world.target, nas):
            bad = spoil(media_files(place)[0])
            name = media_files(place)[0].relative_to(place)
            summary = await verify(core)
            assert summary.outcome is RunOutcome.COMPLETED_WITH_PROBLEMS, "somebody should know"
            assert _good(place) == right
            (aside,) = media_files(place / ASIDE)
            assert aside.read_bytes() == bad
            assert str(aside).endswith(str(name))
            assert checked(place) > len(right)
        assert _told(world, "copy_lost") == {"copy_mismatch": 2}
        assert await journal(core, "copy_set_aside") == 2
        assert hashes(world.archive) == right
        assert (await stats(core)).protected == 8


async def test_a_missing_copy_is_found_within_a_day_without_proving_all(world: World) -> None:
    async with with_nas(world) as nas, world.core() as core:
        await run(core)
        right = hashes(world.archive)
        for place in (world.target, nas):
            for path in media_files(place)[:3]:
                path.unlink()
        await change(core, "delete from settings where key like 'glance/%'")  # a day later
        await verify(core, everything=False)
        assert hashes(world.target) == hashes(nas) == right
        assert _told(world, "copy_lost") == {"copy_missing": 6}
        assert sum(event.type == "copy_lost" for event in world.events) <= 4, "no flood of events"


@pytest.mark.parametrize("damage", ["rotten", "missing", "emptied"])
async def test_the_archive_is_healed_from_a_target(world: World, damage: str) -> None:
    async with with_nas(world), world.core() as core:
        await run(core)
        right = hashes(world.archive)
        struck = media_files(world.archive)[2]
        if damage == "rotten":
            spoil(struck)
        elif damage == "missing":
            struck.unlink()
        else:
            struck.write_bytes(b"")
        world.stand_in.control("reset_counts")
        await verify(core)
        assert _good(world.archive) == right
        assert world.stand_in.counts().get("content", 0) == 0, "the target has it: no download"
        assert await journal(core, "archive_damaged") == await journal(core, "archive_healed") == 1
        assert bool(media_files(world.archive / ASIDE)) is (damage != "missing")
        assert sum(_told(world, "archive_damaged").values()) == 1
        assert (await stats(core)).protected == 8
        assert checked(world.archive)


async def test_freed_photos_are_healed_too_and_signed_out(world: World) -> None:
    async with world.core() as core:
        await run(core)
        right = hashes(world.archive)
        plan, _ = await core.plans.plan(None, "test")
        assert plan.assets == 8
        await core.plans.approve(plan.plan_id, "test")
        await core.plans.execute(plan.plan_id, False, "test")
        assert len(world.trashed()) == 8
        for path in media_files(world.archive)[:4]:
            path.unlink()
        spoil(media_files(world.archive)[0])
        world.stand_in.stop()
        await verify(core)
        assert _good(world.archive) == right
        assert await journal(core, "archive_healed") == 5


async def test_a_bad_copy_never_becomes_the_archives_file(world: World) -> None:
    async with with_nas(world) as nas, world.core() as core:
        await run(core)
        right = hashes(world.archive)
        struck = media_files(world.archive)[0]
        name = struck.relative_to(world.archive)
        struck.unlink()
        bad = spoil(nas / name)
        # the newest proof is of the copy that rotted since: it is asked first
        await change(
            core, "update copies set proven_at = proven_at + 60000 where target_id = 'nas'"
        )
        await change(core, "delete from settings where key like 'glance/%'")
        await verify(core, everything=False)
        assert _good(world.archive) == right
        assert _good(nas) == right, "and the bad one is mended from the good one"
        assert (media_files(nas / ASIDE)[0]).read_bytes() == bad
        assert _good(world.target) == right


async def test_a_bad_archive_never_spoils_a_copy(world: World) -> None:
    """Both the archive's file and one copy rotted: the other copy mends both."""
    async with with_nas(world) as nas, world.core() as core:
        await run(core)
        right = hashes(world.archive)
        name = media_files(world.archive)[0].relative_to(world.archive)
        spoil(world.archive / name)
        (world.target / name).unlink()
        await run(core, Stage.SYNC, Stage.VERIFY)
        await verify(core)
        await verify(core)
        assert _good(world.archive) == _good(world.target) == _good(nas) == right


async def test_what_nobody_has_is_put_aside_and_comes_back_with_a_copy(world: World) -> None:
    async with world.core() as core:
        await run(core)
        plan, _ = await core.plans.plan(1, "test")
        await core.plans.approve(plan.plan_id, "test")
        await core.plans.execute(plan.plan_id, False, "test")
        ((path,),) = await ask(
            core,
            "select path from resources r join assets a on a.id = r.asset_id"
            " where a.state = 'trashed' and role = 'original'",
        )
        kept = (world.target / path).read_bytes()
        (world.archive / path).unlink()
        (world.target / path).unlink()
        await verify(core)
        assert not (world.archive / path).exists()
        assert await journal(core, "archive_lost") == 1
        (lost,) = await core.quarantine(10)
        assert (lost.stage, lost.reason) == (Stage.INGEST, "file_vanished")
        # somebody finds it again and puts it back
        (world.target / path).write_bytes(kept)
        await change(
            core,
            "update copies set state = 'sent', path = :path, attempts = 0 where state = 'pending'",
            path=path,
        )
        await verify(core)
        await verify(core)
        assert (world.archive / path).read_bytes() == kept
        assert await core.quarantine(10) == []


async def test_without_a_target_icloud_has_it(world: World) -> None:
    async with world.core() as core:
        await run(core, Stage.INGEST)
        for path in media_files(world.archive):
            path.unlink()
        await verify(core)
        assert media_files(world.archive) == []
        summary = await run(core, Stage.INGEST)
        assert missing_files(world.stand_in, world.archive) == 0, summary
        assert wrong_files(world.stand_in, world.archive) == 0


async def test_a_new_disk_is_filled_from_the_targets(world: World) -> None:
    """The archive's disk died: an empty one with the archive's marker takes its place."""
    async with with_nas(world) as nas:
        async with world.core() as core:
            await run(core)
        right = hashes(world.archive)
        for path in sorted(world.archive.rglob("*"), reverse=True):
            if path.name != ".media_pipeline.json":
                path.unlink() if path.is_file() else path.rmdir()
        async with world.core() as core:
            await change(core, "delete from settings where key like 'glance/%'")
            world.stand_in.control("reset_counts")
            await run(core)
            assert hashes(world.archive) == right
            assert world.stand_in.counts().get("content", 0) == 0, "nothing is downloaded anew"
            assert hashes(world.target) == hashes(nas) == right
            assert sum(event.type == "archive_damaged" for event in world.events) == 2
            await run(core)  # now that the originals are there, their records are written again
            assert checked(world.archive) == checked(nas) == 3 * len(right)
