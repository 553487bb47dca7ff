"""When a phone is told of its files, and told again."""

import time

import pytest

from custom_components.media_pipeline.engine.clock import DAY, now_ms
from custom_components.media_pipeline.engine.errors import (
    PhoneNotCharging,
    PipelineError,
    RunActive,
    ScanMissing,
    TargetUnreachable,
    UnknownTarget,
)
from custom_components.media_pipeline.engine.model import RunOutcome, Stage
from custom_components.media_pipeline.engine.phone_desk import rescan
from custom_components.media_pipeline.engine.stages import phone
from tests.support.phone import BROADCASTER, HANGING, SCANNER

from ..harness import media_files, run
from .conftest import PhoneWorld, status


@pytest.mark.parametrize("scanner", [HANGING, None, "#!/bin/sh\nexit 1\n"])
async def test_a_scan_that_goes_wrong_holds_nothing_up(
    world: PhoneWorld, scanner: str | None
) -> None:
    """Without the app Termux:API every command of it hangs for ever."""
    world.phone.give_scanner(scanner)
    async with world.core() as core:
        await run(core, Stage.INGEST)
        began = time.monotonic()
        assert (await run(core, Stage.SYNC)).outcome is RunOutcome.COMPLETED
        assert time.monotonic() - began < 20
        now = await status(core)
        assert now.resident == now.delivered > 0
        assert world.sql("select distinct scanned_at from copies") == [(None,)]
        world.phone.give_scanner(SCANNER)
        await run(core, Stage.SYNC)
        assert len(world.phone.told) == now.delivered, "told as soon as that works"


async def test_told_by_broadcast(world: PhoneWorld) -> None:
    world.phone.give_scanner(HANGING)
    world.phone.give_am(BROADCASTER)
    async with world.core() as core:
        await run(core)
        there = media_files(world.target)
        assert len(world.phone.broadcasts) == len(there) > 0
        assert world.sql("select count(*) from copies where scanned_at is null") == [(0,)]


async def test_told_again_while_nothing_speaks_for_a_back_up(world: PhoneWorld) -> None:
    async with world.core() as core:
        await run(core)
        there = len(media_files(world.target))
        (seen,) = world.sql("select path from copies order by path limit 1")[0]
        world.sql("update copies set seen_days = 3 where path = ?", seen)
        world.sql("update copies set scanned_at = ?", now_ms() - DAY // 2)
        await run(core, Stage.SYNC)
        assert len(world.phone.told) == there, "not more than once a day"
        world.sql("update copies set scanned_at = ?", now_ms() - DAY)
        await run(core, Stage.SYNC)
        again = world.phone.told[there:]
        assert len(again) == there - 1
        assert str((world.target / seen).resolve()) not in again
        await run(core, Stage.SYNC)
        assert len(world.phone.told) == 2 * there - 1


async def test_what_there_is_no_time_for_is_told_the_next_time(
    world: PhoneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As broadcasts for a whole library; what the phone was told of longest ago comes first."""
    monkeypatch.setattr(phone, "_AT_ONCE", 2)
    monkeypatch.setattr(phone, "_TELL_SECONDS", -1)
    async with world.core() as core:
        await run(core)
        there = len(media_files(world.target))
        assert len(world.phone.told) == 2
        assert (await status(core)).resident == there
        while len(world.phone.told) < there:
            before = len(world.phone.told)
            await run(core, Stage.SYNC)
            assert before < len(world.phone.told) <= before + 2
        first = world.phone.told
        assert len(set(first)) == there
        assert await rescan(core, "disk", None) == 2
        assert world.phone.told[there:] == first[:2]


async def test_rescan(world: PhoneWorld) -> None:
    """All of ours that lies there, whenever a person asks; whatever the conditions say."""
    world.options = {"notify_action": "notify.phone"}
    async with world.core() as core:
        assert await rescan(core, "disk", "Ann") == 0, "nothing was sent yet"
        await run(core)
        there = media_files(world.target)
        there.pop().unlink()
        before = len(world.phone.told)
        world.owner.closed = PhoneNotCharging()
        assert await rescan(core, "disk", "Ann") == len(there)
        assert sorted(world.phone.told[before:]) == sorted(str(path.resolve()) for path in there)
        assert world.owner.opened == ["disk"] * 2
        now = await status(core)
        assert (now.state, now.inferred) == ("ok", 0), "what left is noted by runs only"
        said = world.sql("select actor, subject from journal where action = 'phone_rescan'")
        assert said == [("Ann", "disk")] * 2


async def test_a_rescan_that_is_refused(world: PhoneWorld) -> None:
    world.options = {"parallel": 1}
    async with world.core() as core:
        with pytest.raises(UnknownTarget):
            await rescan(core, "another", None)
        run_id = await core.runs.start((Stage.INGEST, Stage.SYNC), "test")
        with pytest.raises(RunActive):
            await rescan(core, "disk", None)
        await core.runs.wait(run_id)
        world.phone.give_scanner(None)
        with pytest.raises(ScanMissing):
            await rescan(core, "disk", None)
        await world.phone.stop()
        with pytest.raises(TargetUnreachable):
            await rescan(core, "disk", None)
        await world.phone.start()
        world.phone.give_scanner(SCANNER)
        aside = world.target.with_name(world.target.name + "-aside")
        world.target.rename(aside)
        with pytest.raises(PipelineError):
            await rescan(core, "disk", None)
        aside.rename(world.target)
        assert await rescan(core, "disk", None) > 0
        assert (await run(core)).outcome is RunOutcome.COMPLETED, "nothing is left closed"
