"""The life of a plan: proposed, approved, executed, undone; and every refusal by name."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.errors import (
    CleanupStopped,
    CleanupThrottled,
    PlanNotFound,
    PlanOutdated,
    PlanWrongState,
)
from custom_components.media_pipeline.engine.model import PlanState, Stage

from .harness import World, make_world, refusals, run, stats


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch, assets=10) as made:
        yield made


async def test_plan_approve_dry_run_execute_undo(world: World) -> None:
    async with world.core() as core:
        await run(core)
        used = core.board.snapshot.usage
        assert used is not None
        plan, reasons = await core.plans.plan(None, "anna")
        assert plan.assets == (await stats(core)).freeable > 0
        assert plan.assets + sum(reasons.values()) == 10
        with pytest.raises(PlanWrongState):
            await core.plans.execute(plan.plan_id, False, "anna")
        world.stand_in.control("reset_counts")
        _, refused = await core.plans.execute(plan.plan_id, True, "anna")
        assert refused == {}
        assert world.stand_in.counts().get("modify", 0) == 0
        assert world.trashed() == set()
        await core.plans.approve(plan.plan_id, "anna")
        done, refused = await core.plans.execute(plan.plan_id, False, "anna")
        assert refused == {}
        assert done.state is PlanState.EXECUTED
        assert done.freed_assets == plan.assets == len(world.trashed())
        assert done.purge_at is not None
        numbers = await stats(core)
        # nothing is free before Apple purges, and the number that waits for it says how much
        assert numbers.pending_purge_bytes == done.freed_bytes
        assert world.stand_in.state()["bytes_trashed"] >= done.freed_bytes
        undone = await core.plans.undo(plan.plan_id, "anna")
        assert undone.state is PlanState.UNDONE
        assert world.trashed() == set()
        await run(core, Stage.INGEST)
        assert (await stats(core)).items == 10
    actors = {event.type for event in world.events}
    assert {"plan_ready", "plan_approved", "cleanup_done", "cleanup_undone"} <= actors


async def test_every_number_has_a_reason(world: World) -> None:
    async with world.core() as core:
        await run(core, Stage.INGEST)
        assert set(await refusals(core)) == {"too_few_copies"}
        await run(core, Stage.SYNC)
        assert set(await refusals(core)) == {"too_few_copies"}  # sent is not proven
        await run(core, Stage.VERIFY)
        assert set(await refusals(core)) == {"protected_favorite"} or not await refusals(core)
    world.with_safety(min_age_days=100_000)
    async with world.core() as core:
        assert "too_young" in await refusals(core)
    world.with_safety(min_age_days=0, required_copies=3)
    async with world.core() as core:
        assert set(await refusals(core)) == {"too_few_copies"}


async def test_a_plan_goes_stale(world: World) -> None:
    async with world.core() as core:
        await run(core)
        plan, _ = await core.plans.plan(None, None)
        await core.plans.approve(plan.plan_id, None)
        world.stand_in.control("edit", index=9)
        await run(core)
        with pytest.raises(PlanOutdated):
            await core.plans.execute(plan.plan_id, False, None)
        with pytest.raises(PlanWrongState):
            await core.plans.approve(plan.plan_id, None)
        with pytest.raises(PlanNotFound):
            await core.plans.approve("nonsense", None)
        assert world.trashed() == set()


async def test_an_edit_behind_our_back_is_left_alone(world: World) -> None:
    async with world.core() as core:
        await run(core)
        plan, _ = await core.plans.plan(None, None)
        await core.plans.approve(plan.plan_id, None)
        edited = world.stand_in.assets()[9]["recordName"]
        world.stand_in.control("edit", index=9)
        done, refused = await core.plans.execute(plan.plan_id, False, None)
        assert refused == {"changed_since_plan": 1}
        assert done.freed_assets == plan.assets - 1
        assert edited not in world.trashed()


@pytest.mark.parametrize(
    "fault",
    [
        {"lie": True},
        {"omit": True},
        {"record_error": "CONFLICT"},
        {"record_error": "THROTTLED", "retry_after": 900},
        {"status": 500},
    ],
)
async def test_the_first_odd_answer_stops_everything(
    world: World, fault: dict[str, object]
) -> None:
    async with world.core() as core:
        await run(core)
        plan, _ = await core.plans.plan(None, None)
        await core.plans.approve(plan.plan_id, None)
        world.stand_in.fault("modify", **fault)
        with pytest.raises((CleanupStopped, CleanupThrottled)):
            await core.plans.execute(plan.plan_id, False, None)
        shown = core.board.snapshot.plan
        assert shown is not None
        assert shown.state is PlanState.STOPPED
        assert shown.stop_reason
        assert len(world.trashed()) == shown.freed_assets < core.config.safety.canary
        assert world.stand_in.counts()["modify"] <= 2  # the canary, nothing after it
