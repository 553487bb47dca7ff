"""What still lies on a phone, what left it, and what that speaks for: a phone is never believed."""

import os

from custom_components.media_pipeline.engine.clock import DAY, now_ms
from custom_components.media_pipeline.engine.model import RunOutcome, Stage
from tests.support.phone import HANGING, SCANNER

from ..harness import media_files, run
from .conftest import PhoneWorld, status


async def test_vanished_is_not_lost(world: PhoneWorld) -> None:
    """Google Photos freed space: nothing is sent again, and it speaks for a back-up."""
    async with world.core() as core:
        await run(core)
        there = media_files(world.target)
        for path in there[:2]:
            path.unlink()
        assert (await run(core)).outcome is RunOutcome.COMPLETED
        assert media_files(world.target) == there[2:]
        now = await status(core)
        assert (now.delivered, now.resident, now.inferred) == (len(there), len(there) - 2, 2)
        assert now.missing == 0
        assert not [event for event in world.events if event.type == "copy_lost"]


async def test_a_folder_that_went_away_speaks_for_nothing(world: PhoneWorld) -> None:
    async with world.core() as core:
        await run(core)
        aside = world.target.with_name(world.target.name + "-aside")
        world.target.rename(aside)
        try:
            summary = await run(core, Stage.SYNC)
        finally:
            aside.rename(world.target)
        assert summary.outcome is RunOutcome.COMPLETED_WITH_PROBLEMS
        now = await status(core)
        assert now.inferred == 0
        assert now.resident == now.delivered > 0


async def test_days_are_counted_once(world: PhoneWorld) -> None:
    """Three runs on one day are one day: only days speak for a back-up."""
    async with world.core() as core:
        for _ in range(4):
            await run(core)
        assert world.sql("select distinct seen_days from copies") == [(1,)]
        assert (await status(core)).inferred == 0
        for days in (2, 3):
            world.sql("update copies set seen_at = seen_at - ?", DAY)
            await run(core)
            assert world.sql("select distinct seen_days from copies") == [(days,)]
        now = await status(core)
        assert now.inferred == now.delivered > 0


async def test_days_before_it_was_told_speak_for_nothing(world: PhoneWorld) -> None:
    world.options = {"prune": True, "keep_days": 1}
    world.phone.give_scanner(None)
    async with world.core() as core:
        for _ in range(4):
            await run(core)
            world.sql("update copies set seen_at = seen_at - ?", DAY)
        world.sql("update copies set sent_at = 1")
        world.phone.give_scanner(SCANNER)
        there = media_files(world.target)
        await run(core)
        assert len(world.phone.told) == len(there) > 0
        await run(core)
        assert (await status(core)).inferred == 0
        assert media_files(world.target) == there


async def test_nothing_is_removed_without_being_asked(world: PhoneWorld) -> None:
    async with world.core() as core:
        await run(core)
        there = media_files(world.target)
        world.sql("update copies set seen_days = 9, sent_at = 1")
        await run(core)
        assert media_files(world.target) == there


async def test_pruning(world: PhoneWorld) -> None:
    """Only with evidence, only what is as we left it, only after so many days; never sent again."""
    world.options = {"prune": True, "keep_days": 14}
    async with world.core() as core:
        await run(core)
        there = sorted(str(path.relative_to(world.target)) for path in media_files(world.target))
        old = now_ms() - 15 * DAY
        young, unseen, untold, touched, *rest = there
        world.sql("update copies set seen_days = 3, sent_at = ?", old)
        world.sql("update copies set sent_at = ? where path = ?", now_ms() - 13 * DAY, young)
        world.sql("update copies set seen_days = 1 where path = ?", unseen)
        world.sql("update copies set seen_at = ?", now_ms())
        world.sql("update copies set scanned_at = null where path = ?", untold)
        world.phone.give_scanner(HANGING)
        os.utime(world.target / touched, (1_700_000_000, 1_700_000_000))
        assert rest
        await run(core)
        left = {str(path.relative_to(world.target)) for path in media_files(world.target)}
        assert left == {young, unseen, untold, touched}
        now = await status(core)
        assert now.resident == 4
        assert now.delivered == len(there)
        assert now.missing == 0
        how = world.sql("select distinct left_how from copies where left_at is not null")
        assert how == [("pruned",)], "by us, which speaks for nothing"
