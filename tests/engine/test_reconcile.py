"""Is what we know what iCloud has: the light look of a day, and the full one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, update

from custom_components.media_pipeline.engine.catalog.schema import assets
from custom_components.media_pipeline.engine.catalog.store import get_values, set_values
from custom_components.media_pipeline.engine.clock import DAY, now_ms
from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.model import Stage

from .harness import World, make_world, run, stats
from .test_run import API

PRIMARY = "PrimarySync"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch, assets=24, shared_library=6) as made:
        yield made


async def a_day_passes(core: Core, days: int = 1) -> None:
    times = await core.catalog.read(get_values, "reconcile/")
    early = {name: str(int(value) - days * DAY) for name, value in times.items()}
    await core.catalog.write(set_values, "reconcile/", early)


async def test_one_more_request_a_day_and_library(world: World) -> None:
    world.libraries = (PRIMARY, str(world.stand_in.state()["zones"][1]))
    async with world.core() as core:
        await run(core, Stage.INGEST)
        assert world.stand_in.counts()["count"] == 2
        for days, wanted in (
            (0, {"changes_database": 1}),
            (1, {"changes_database": 1, "count": 2}),
        ):
            await a_day_passes(core, days)
            world.stand_in.control("reset_counts")
            await run(core, Stage.INGEST)
            counts = world.stand_in.counts()
            assert {name: counts[name] for name in API if counts.get(name)} == wanted
        census = (await core.board.refresh()).census
        assert {name: (each.ours, each.theirs) for name, each in census.items()} == {
            world.libraries[0]: (24, 24),
            world.libraries[1]: (6, 6),
        }


async def test_hidden_deleted_and_duplicates_make_no_difference(world: World) -> None:
    async with world.core() as core:
        world.stand_in.control("hide", index=[1, 2])
        world.stand_in.control("delete", index=[3])
        await run(core, Stage.INGEST)
        world.stand_in.control("duplicate", index=5)
        world.stand_in.control("hide", index=6)
        world.stand_in.control("hide", index=1, on=False)
        world.stand_in.control("restore", index=3)
        world.stand_in.control("delete", index=8)
        world.stand_in.control("delete", index=9)
        world.stand_in.control("purge", index=9)
        await a_day_passes(core)
        await run(core, Stage.INGEST)
        census = (await core.board.refresh()).census[PRIMARY]
        assert (census.difference, census.ours, census.times) == (0, 24 - 1 - 1 + 1 - 2, 0)


async def test_of_a_burst_only_what_was_picked_is_counted(world: World) -> None:
    """Apple's count leaves out the rest of a burst, hidden and deleted assets, and so does ours."""
    async with world.core() as core:
        await run(core, Stage.INGEST)
        burst = world.stand_in.control("burst", count=5)["indices"]
        world.stand_in.control("hide", index=2)
        world.stand_in.control("delete", index=3)
        await a_day_passes(core)
        await run(core, Stage.INGEST)
        census = (await core.board.refresh()).census[PRIMARY]
        assert (census.ours, census.theirs, census.times) == (24 + 1 - 2, 24 + 1 - 2, 0)
        assert (await stats(core)).items == 24 + 5 - 1, "all of the burst, and the hidden one"
        world.stand_in.control("delete", index=burst[1])
        await core.reconcile("Ada")
        census = (await core.board.refresh()).census[PRIMARY]
        assert (census.difference, census.explained) == (0, 0)


async def test_a_difference_is_said_and_a_full_look_mends_it(world: World) -> None:
    async with world.core() as core:
        await run(core)
        names = [asset["recordName"] for asset in world.stand_in.assets()]
        await core.catalog.write(_forget, f"{PRIMARY}/{names[4]}")
        for number in (1, 2):
            await a_day_passes(core)
            await run(core, Stage.INGEST)
            census = (await core.board.refresh()).census[PRIMARY]
            assert (census.difference, census.times) == (1, number)
        world.stand_in.control("reset_counts")
        found, assets_found = await core.reconcile("Ada")
        assert (found[PRIMARY].difference, found[PRIMARY].times, assets_found) == (0, 0, 1)
        counts = world.stand_in.counts()
        assert counts.get("content", 0) == 0
        assert counts["query"] <= 6
        await run(core, Stage.INGEST)
        assert (await stats(core)).items == 24


async def test_a_full_look_finds_what_is_gone_and_what_changed(world: World) -> None:
    async with world.core() as core:
        await run(core)
        names = [asset["recordName"] for asset in world.stand_in.assets()]
        world.stand_in.control("delete", index=2)
        world.stand_in.control("purge", index=2)
        world.stand_in.control("favorite", index=3)
        # the feed is not asked here: only the full look can find these
        _, found = await core.reconcile("Ada")
        assert found == 2
        states = await core.catalog.read(_states)
        assert states[f"{PRIMARY}/{names[2]}"] == ("gone", False)
        assert states[f"{PRIMARY}/{names[3]}"] == ("present", True)


async def test_what_a_full_look_can_not_explain_is_not_held_up(world: World) -> None:
    async with world.core() as core:
        world.stand_in.control("odd", index=4, what="no_master_reference")
        await run(core, Stage.INGEST)
        await a_day_passes(core)
        await run(core, Stage.INGEST)
        assert (await core.board.refresh()).census[PRIMARY].times == 2
        found, _ = await core.reconcile("Ada")
        assert (found[PRIMARY].difference, found[PRIMARY].explained) == (1, 1)
        await a_day_passes(core)
        await run(core, Stage.INGEST)
        assert (await core.board.refresh()).census[PRIMARY].times == 0


async def test_a_full_look_once_a_month(world: World) -> None:
    async with world.core() as core:
        await run(core)
        names = [asset["recordName"] for asset in world.stand_in.assets()]
        await core.catalog.write(_forget, f"{PRIMARY}/{names[4]}")
        await a_day_passes(core, 31)
        world.stand_in.control("reset_counts")
        await run(core)
        assert (await stats(core)).items == 24
        assert world.stand_in.counts()["query"] >= 3
        times = await core.catalog.read(get_values, "reconcile/")
        assert now_ms() - int(times["full"]) < DAY


def _forget(connection: Connection, key: str) -> None:
    """As if the change feed had never told of it."""
    elsewhere = {"key": f"Elsewhere/{key}", "library": "Elsewhere", "state": "gone"}
    connection.execute(update(assets).where(assets.c.key == key).values(**elsewhere))


def _states(connection: Connection) -> dict[str, tuple[str, bool]]:
    rows = connection.execute(select(assets))
    return {row.key: (row.state, row.favorite) for row in rows}
