"""How a cleanup and its undo end when somebody or something gets in the way."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from custom_components.media_pipeline.engine.errors import (
    CleanupStopped,
    PlanWrongState,
    RunActive,
)
from custom_components.media_pipeline.engine.model import PlanState, RunOutcome, Stage

from .harness import World, make_world, run


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch, assets=6) as made:
        made.with_safety(protect_favorites=False, protect_hidden=False)
        yield made


async def test_cancelled_in_the_middle_of_a_delete_is_still_undone(world: World) -> None:
    async with world.core() as core:
        await run(core)
        plan, _ = await core.plans.plan(None, None)
        await core.plans.approve(plan.plan_id, None)
        before = world.stand_in.counts().get("modify", 0)
        world.stand_in.fault("modify", latency_ms=800)
        caller = asyncio.create_task(core.plans.execute(plan.plan_id, False, None))
        async with asyncio.timeout(20):
            while world.stand_in.counts().get("modify", 0) == before:
                await asyncio.sleep(0.02)
        # neither a second execution nor a run may start beside it
        with pytest.raises((PlanWrongState, RunActive)):
            await core.plans.execute(plan.plan_id, False, None)
        with pytest.raises(RunActive):
            await core.runs.start((Stage.INGEST,), None)
        caller.cancel()  # the one who asked stops waiting: the plan is settled all the same
        await asyncio.gather(core.runs.cancel("anna"), core.runs.cancel("anna"))
        await asyncio.sleep(1.5)  # what was sent is still done over there
        world.stand_in.control("clear_faults")
        shown = (await core.board.refresh()).plan
        assert shown is not None
        assert (shown.state, shown.stop_reason) == (PlanState.STOPPED, "cancelled")
        assert len(world.trashed()) == 5  # the canary
        # a look-up that leaves assets out does not make them restored
        world.stand_in.fault("lookup", omit=True, times=1)
        with pytest.raises(CleanupStopped):
            await core.plans.undo(plan.plan_id, None)
        undone = await core.plans.undo(plan.plan_id, None)
        assert (undone.state, undone.freed_assets) == (PlanState.UNDONE, 0)
        assert world.trashed() == set()


def _record(world: World, sql: str, *values: str) -> tuple[Any, ...]:
    with closing(sqlite3.connect(world.root / "private/catalog.db")) as database:
        row = database.execute(sql, values).fetchone()
        database.commit()
        return row if row is not None else ()


async def test_a_changed_record_is_sent_again_over_ours_only(world: World) -> None:
    key = "%" + world.stand_in.assets()[0]["recordName"]
    ask = (
        "select r.path, c.path, c.state, r.sha256 = c.sha256 from resources r join assets a"
        " on a.id = r.asset_id join copies c on c.resource_id = r.id"
        " where r.role = 'record' and a.key like ?"
    )
    async with world.core() as core:
        await run(core, Stage.INGEST)
        path = _record(
            world,
            "select r.path from resources r join assets a on a.id = r.asset_id"
            " where r.role = 'record' and a.key like ?",
            key,
        )[0]
        # somebody else's files have the name of our record, there and here
        foreign = world.target / path
        foreign.parent.mkdir(parents=True)
        foreign.write_text("not ours")
        await run(core)
        copied = _record(world, ask, key)[1]
        assert copied != path
        first = (world.target / copied).read_bytes()
        world.stand_in.control("favorite", index=0, on=True)
        await run(core)
        assert _record(world, ask, key) == (path, copied, "verified", 1)
        assert (world.target / copied).read_bytes() != first
        assert (world.target / copied).read_bytes() == (world.archive / path).read_bytes()
        assert foreign.read_text() == "not ours"
        # a broken record is noticed once and written again, over nothing that is not ours
        (world.archive / path).write_text('{"key": "somebody else"}')
        _record(world, "update resources set proven_at = 1 where role = 'record'")
        assert (await run(core, Stage.VERIFY)).outcome is RunOutcome.COMPLETED_WITH_PROBLEMS
        assert (await run(core)).outcome is RunOutcome.COMPLETED
        mended, copied, state, same = _record(world, ask, key)
        assert mended != path
        assert (state, same) == ("verified", 1)
        assert (world.archive / path).read_text() == '{"key": "somebody else"}'
        assert (world.target / copied).read_bytes() == (world.archive / mended).read_bytes()


async def test_silence_of_the_source_is_not_gone(world: World) -> None:
    async with world.core() as core:
        world.stand_in.fault("content", status=503, headers={"Retry-After": "400"}, times=50)
        await run(core, Stage.INGEST)
    world.forget_throttling()
    async with world.core() as core:
        world.stand_in.control("clear_faults")
        world.stand_in.control("expire_urls")
        world.stand_in.control("reset_counts")
        world.stand_in.fault("lookup", omit=True, times=1)
        await run(core, Stage.INGEST)
        assert world.stand_in.counts()["lookup"]
        with closing(sqlite3.connect(world.root / "private/catalog.db")) as database:
            assert set(database.execute("select distinct state from assets")) == {("present",)}
