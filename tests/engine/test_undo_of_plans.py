"""Undoing one plan does not touch what another plan freed."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.errors import CleanupStopped
from custom_components.media_pipeline.engine.model import PlanState

from .harness import World, make_world, run


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch, assets=4, real=0) as made:
        yield made


async def _free(core: Core) -> str:
    plan, _ = await core.plans.plan(None, "test")
    await core.plans.approve(plan.plan_id, "test")
    await core.plans.execute(plan.plan_id, False, "test")
    return plan.plan_id


async def test_what_a_later_plan_freed_is_not_brought_back(world: World) -> None:
    async with world.core() as core:
        await run(core)
        world.stand_in.fault("modify", lie=True, records=0, times=1)
        with pytest.raises(CleanupStopped):
            await _free(core)
        with closing(sqlite3.connect(world.root / "private/catalog.db")) as database:
            (first,) = database.execute("select id from plans").fetchone()
        second = await _free(core)
        assert len(world.trashed()) == 4
        undone = await core.plans.undo(first, "test")
        assert undone.state is PlanState.UNDONE
        assert len(world.trashed()) == 4
        assert (await core.plans.undo(second, "test")).freed_assets == 0
        assert world.trashed() == set()
