"""Runs while Apple wants us slow: who is refused, what goes on, and that nothing is asked."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from custom_components.media_pipeline.engine.catalog import plans
from custom_components.media_pipeline.engine.catalog.schema import journal
from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.errors import CleanupThrottled, HeldBack
from custom_components.media_pipeline.engine.model import (
    DEFAULT_STAGES,
    PlanState,
    PlanSummary,
    RunOutcome,
    Stage,
)
from custom_components.media_pipeline.engine.stages import cleanup

from .harness import World, make_world, run, stats

HOUR = 3600


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch, assets=12) as made:
        yield made


async def hold_back(core: Core, world: World, seconds: int = HOUR) -> None:
    """Let a run be told to slow down."""
    headers = {"Retry-After": str(seconds)}
    world.stand_in.fault("changes_database", status=503, headers=headers, times=1)
    summary = await core.runs.wait(await core.runs.start((Stage.INGEST,), None))
    assert (summary.outcome, summary.error) == (RunOutcome.COMPLETED_WITH_PROBLEMS, "throttled")
    world.stand_in.control("reset_counts")


async def test_run_now_is_refused_with_the_reason_and_the_time(world: World) -> None:
    async with world.core() as core:
        await run(core)
        await hold_back(core, world)
        for stages in (DEFAULT_STAGES, (Stage.INGEST,), (Stage.INGEST, Stage.SYNC)):
            with pytest.raises(HeldBack) as caught:
                await core.runs.start(stages, "Ada")
            assert HOUR - 60 < caught.value.until.timestamp() - time.time() <= HOUR
            assert caught.value.placeholders["until"]
        with pytest.raises(HeldBack):
            await core.runs.start((Stage.INGEST,), None)
        snapshot = await core.board.refresh()
        assert "throttled" in snapshot.problems
        assert snapshot.throttled_until is not None
        assert snapshot.throttled_until / 1000 - time.time() > HOUR - 60
        # what needs no iCloud can be run
        summary = await run(core, Stage.COMPRESS, Stage.SYNC, Stage.VERIFY)
        assert summary.outcome is RunOutcome.COMPLETED
        assert "requests" not in world.stand_in.counts()


async def test_an_automations_run_does_the_rest_and_notes_it(world: World) -> None:
    async with world.core() as core:
        await run(core, Stage.INGEST)
        await hold_back(core, world)
        summary = await core.runs.wait(await core.runs.start(DEFAULT_STAGES, None))
        assert (summary.outcome, summary.error) == (
            RunOutcome.COMPLETED_WITH_PROBLEMS,
            "throttled",
        )
        assert (await stats(core)).protected == 12
        assert "requests" not in world.stand_in.counts()


async def test_it_is_kept_over_restarts_and_asks_for_no_code(world: World) -> None:
    async with world.core() as core:
        await run(core, Stage.INGEST)
        await hold_back(core, world)
    world.events.clear()
    core = Core(world.config(), lambda _: None, world.events.append)
    await core.open()
    try:
        await asyncio.sleep(0.5)  # it looks at its source, which is held back
        with pytest.raises(HeldBack):
            await core.runs.start(DEFAULT_STAGES, "Ada")
        assert (await core.board.refresh()).throttled_until is not None
        assert "code_required" not in [event.type for event in world.events]
        assert "requests" not in world.stand_in.counts()
    finally:
        await core.close()


async def test_a_short_wait_is_waited_out_and_the_problem_goes(world: World) -> None:
    async with world.core() as core:
        await run(core)
        world.stand_in.control("add", count=2)
        world.stand_in.fault(
            "changes_zone", json={"zones": [{"serverErrorCode": "THROTTLED", "retryAfter": 1}]},
            times=1,
        )  # fmt: skip
        summary = await run(core)
        assert summary.outcome is RunOutcome.COMPLETED
        snapshot = await core.board.refresh()
        assert (snapshot.throttled_until, snapshot.problems) == (None, ())
        assert snapshot.library.archived == 14


async def test_two_accounts_share_nothing(world: World, tmp_path: Path) -> None:
    """Two entries: each its own session, catalog and pace; one held back leaves the other alone."""
    second = replace(world, root=tmp_path / "second", target=world.target / "second", events=[])
    second.root.mkdir()
    second.target.mkdir()
    async with world.core() as core, second.core() as other:
        await run(core)
        await hold_back(core, world)
        summary = await run(other)
        assert summary.outcome is RunOutcome.COMPLETED
        assert other.account.throttled_until is None
        assert core.account.throttled_until is not None
        assert (await stats(core)).items == (await stats(other)).items == 12
        for each in (world, second):
            assert (each.root / "private" / "catalog.db").is_file()
        world.stand_in.control("add", count=1)
        await run(other, Stage.INGEST)
        assert ((await stats(core)).items, (await stats(other)).items) == (12, 13)


async def test_a_cleanup_is_refused_while_held_back(world: World) -> None:
    async with world.core() as core:
        await run(core)
        plan, _ = await core.plans.plan(None, "Ada")
        assert plan.assets > 2
        await core.plans.approve(plan.plan_id, "Ada")
        await hold_back(core, world)
        with pytest.raises(HeldBack):
            await core.plans.execute(plan.plan_id, False, "Ada")
        assert "requests" not in world.stand_in.counts()
        still = await core.plans._plan_in(plan.plan_id, (PlanState.APPROVED,))
        assert still.state is PlanState.APPROVED  # it can be executed later


async def approved(core: Core, world: World) -> PlanSummary:
    """An approved plan."""
    await run(core)
    plan, _ = await core.plans.plan(None, "Ada")
    await core.plans.approve(plan.plan_id, "Ada")
    world.stand_in.control("reset_counts")
    return plan


async def test_a_short_wait_in_the_middle_of_a_plan_is_waited_out(world: World) -> None:
    """Told so for two records of the second batch, and then for a whole request."""
    world.with_safety(canary=1)
    async with world.core() as core:
        plan = await approved(core, world)
        world.stand_in.fault(
            "modify", record_error="THROTTLED", retry_after=1, records=2, skip=1, times=1
        )
        world.stand_in.fault("modify", status=503, headers={"Retry-After": "1"}, skip=2, times=1)
        done, refused = await core.plans.execute(plan.plan_id, False, "Ada")
        assert (done.state, done.freed_assets, refused) == (PlanState.EXECUTED, plan.assets, {})
        assert len(world.trashed()) == plan.assets
        # canary, the rest, the two again (refused as a whole), the two once more
        assert world.stand_in.counts()["modify"] == 4
        asked = await core.catalog.read(_freed_in_journal)
        assert len(asked) == len(set(asked)) == plan.assets, "each was freed once"
        assert (await core.board.refresh()).problems == ()
        await core.plans.undo(plan.plan_id, "Ada")
        assert world.trashed() == set()


async def test_done_although_apple_said_it_was_busy(world: World) -> None:
    """A delete that is carried out later than it was answered: freed, and undo knows it."""
    world.with_safety(canary=1)
    async with world.core() as core:
        plan = await approved(core, world)
        world.stand_in.fault("modify", status=503, headers={"Retry-After": "3"}, times=1)
        task = asyncio.create_task(core.plans.execute(plan.plan_id, False, "Ada"))
        while world.stand_in.counts().get("lookup", 0) < 3:  # the look after the refusal
            await asyncio.sleep(0.02)
        oldest = (await core.catalog.read(plans.unknown_items))[0].key.partition("/")[2]
        numbers = {asset["recordName"]: asset["index"] for asset in world.stand_in.assets()}
        world.stand_in.control("delete", index=numbers[oldest])
        done, refused = await task
        assert (done.freed_assets, refused) == (plan.assets, {})
        await core.plans.undo(plan.plan_id, "Ada")
        assert world.trashed() == set()


async def test_a_long_wait_stops_the_plan_and_says_when_to_go_on(world: World) -> None:
    """And nothing is deleted twice by the plan after it."""
    world.with_safety(canary=1)
    async with world.core() as core:
        plan = await approved(core, world)
        world.stand_in.fault(
            "modify", record_error="THROTTLED", retry_after=HOUR, records=2, skip=1, times=1
        )
        with pytest.raises(CleanupThrottled) as caught:
            await core.plans.execute(plan.plan_id, False, "Ada")
        assert HOUR - 60 < caught.value.until.timestamp() - time.time() <= HOUR
        first = world.trashed()
        assert len(first) == plan.assets - 2
        now = await core.plans._plan_in(plan.plan_id, (PlanState.STOPPED,))
        assert (now.freed_assets, now.stop_reason) == (len(first), "throttled")
        assert "throttled" in (await core.board.refresh()).problems
    world.forget_throttling()
    async with world.core() as core:
        rest, _ = await core.plans.plan(None, "Ada")
        assert rest.assets == 2
        await core.plans.approve(rest.plan_id, "Ada")
        done, refused = await core.plans.execute(rest.plan_id, False, "Ada")
        assert (done.freed_assets, refused) == (2, {})
        assert len(world.trashed()) == plan.assets
        assert first < world.trashed()
        assert world.stand_in.counts()["modify"] <= 4


async def test_told_so_again_and_again_ends(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.with_safety(canary=1)
    async with world.core() as core:
        plan = await approved(core, world)
        monkeypatch.setattr(cleanup, "_PATIENCE", 1)
        world.stand_in.fault("modify", record_error="THROTTLED", retry_after=1, records=0)
        with pytest.raises(CleanupThrottled):
            await core.plans.execute(plan.plan_id, False, "Ada")
        assert world.trashed() == set()
        assert world.stand_in.counts()["modify"] == 2


async def test_the_start_of_ingest_waits_out_a_short_one(world: World) -> None:
    async with world.core() as core:
        await run(core)
    world.stand_in.fault("validate", status=503, headers={"Retry-After": "2"}, times=1)
    core = Core(world.config(), lambda _: None, world.events.append)
    await core.open()
    try:
        summary = await core.runs.wait(await core.runs.start(DEFAULT_STAGES, None))
        assert (summary.outcome, summary.error) == (RunOutcome.COMPLETED, None)
    finally:
        await core.close()


def _freed_in_journal(connection: Connection) -> list[str]:
    rows = connection.execute(select(journal.c.subject).where(journal.c.action == "asset_freed"))
    return list(rows.scalars())
