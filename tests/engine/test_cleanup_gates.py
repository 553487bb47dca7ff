"""Each gate before a delete, by itself: with it alone in the way, nothing is in a plan or freed."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.catalog import plans, protection
from custom_components.media_pipeline.engine.clock import DAY, now_ms
from custom_components.media_pipeline.engine.config import EngineConfig
from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.marker import MARKER_NAME
from custom_components.media_pipeline.engine.model import PlanState

from .harness import World, make_world, refusals, run

ASSETS = 8


class _World(World):
    """Settings that the harness does not vary."""

    without_target = False

    def config(self) -> EngineConfig:
        config = super().config()
        return replace(config, targets=()) if self.without_target else config


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_World]:
    with make_world(tmp_path, monkeypatch, assets=ASSETS) as made:
        made.with_safety(protect_favorites=False, protect_hidden=False)
        yield _World(**{name: getattr(made, name) for name in made.__dataclass_fields__})


def _change(world: World, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(world.root / "private/catalog.db")) as database:
        database.execute("pragma foreign_keys=off")
        database.execute(statement, values)
        database.commit()


async def _refused(core: Core, **changes: object) -> dict[str, int]:
    """Why assets may not be freed by these rules."""
    ground = core.ground()
    safety = replace(ground.safety, **changes)  # type: ignore[arg-type]
    return await core.catalog.read(protection.refusals, replace(ground, safety=safety))


async def test_every_gate_of_the_plan(world: _World) -> None:
    old = now_ms() - 900 * DAY
    async with world.core() as core:
        await run(core)
        assert await refusals(core) == {}

        async def gate(column: str, value: object, table: str = "assets", **rules: object) -> None:
            """One wrong value in one row; the reason comes, and goes with the value."""
            row = {"copies": "resource_id = 1"}.get(table, "id = 1")
            with closing(sqlite3.connect(world.root / "private/catalog.db")) as database:
                before = database.execute(f"select {column} from {table} where {row}").fetchone()  # noqa: S608
            _change(world, f"update {table} set {column} = ? where {row}", value)  # noqa: S608
            found.append(await _refused(core, **rules))
            _change(world, f"update {table} set {column} = ? where {row}", before[0])  # noqa: S608

        found: list[dict[str, int]] = []
        await gate("library", "SharedSync-0000")
        await gate("incomplete", "edit_not_rendered")
        await gate("state", "quarantined", "resources")
        await gate("state", "pending", "resources")
        await gate("record_saved", 0)
        await gate("checksum_known", 0, "resources")
        await gate("state", "sent", "copies")
        await gate("sha256", "0" * 64, "copies")
        await gate("captured", None)
        await gate("added", None)
        await gate("favorite", 1, protect_favorites=True)
        await gate("hidden", 1, protect_hidden=True)
        assert found == [
            {"shared_library": 1},
            {"incomplete": 1},
            {"quarantined": 1},
            {"not_archived": 1},
            {"record_not_saved": 1},
            {"unknown_checksum": 1},
            {"too_few_copies": 1},
            {"too_few_copies": 1},
            {"unknown_date": 1},
            {"unknown_date": 1},
            {"protected_favorite": 1},
            {"protected_hidden": 1},
        ] or pytest.fail(str(found))
        # the youngest of the three dates counts
        _change(world, "update assets set captured = ?, added = ?, modified = ?", old, old, old)
        assert await _refused(core, min_age_days=30) == {}
        found.clear()
        for column in ("captured", "added", "modified"):
            await gate(column, now_ms(), min_age_days=30)
        assert found == [{"too_young": 1}] * 3
        # none off this machine; and never fewer than one copy, whatever is asked for
        _change(world, "update targets set off_machine = 0")
        assert await _refused(core) == {"no_copy_off_this_machine": ASSETS}
        assert await _refused(core, require_off_machine=False) == {}
        rules = {"required_copies": 0, "require_off_machine": False}
        _change(world, "update resources set state = 'pending' where id = 1")
        assert await _refused(core, **rules) == {"not_archived": 1}
        _change(world, "update resources set state = 'archived' where id = 1")
        # two folders on one file system are one copy; one on the archive's is none
        _change(
            world,
            "insert into targets (id, kind, content, marker_id, device_id, domain, off_machine,"
            " state) select 'twin', kind, content, marker_id, device_id, domain, off_machine,"
            " state from targets",
        )
        _change(
            world,
            "insert into copies (resource_id, target_id, state, sha256, proven_at)"
            " select resource_id, 'twin', state, sha256, proven_at from copies",
        )
        rules = {"require_off_machine": False, "required_copies": 3}
        assert await _refused(core, **rules) == {"too_few_copies": ASSETS}
        _change(world, "update targets set domain = 'elsewhere' where id = 'twin'")
        assert await _refused(core, **rules) == {}
        _change(world, "update targets set domain = ? where id = 'twin'", core.archive.domain)
        assert await _refused(core, **rules) == {"too_few_copies": ASSETS}
        _change(world, "update targets set domain = 'elsewhere', removed = 1 where id = 'twin'")
        assert await _refused(core, **rules) == {"too_few_copies": ASSETS}


async def test_a_burst_is_freed_only_when_all_of_it_is_archived(world: _World) -> None:
    async with world.core() as core:
        await run(core)
        _change(world, "update assets set burst_id = 'one' where id in (1, 2)")
        _change(world, "update assets set burst_id = 'two' where id = 3")
        assert await refusals(core) == {}
        _change(world, "update assets set record_saved = 0 where id = 2")
        assert await refusals(core) == {"record_not_saved": 1, "burst_not_archived": 1}
        _change(world, "update assets set record_saved = 1 where id = 2")
        _change(world, "update resources set state = 'pending' where asset_id = 2")
        assert await refusals(core) == {"not_archived": 1, "burst_not_archived": 1}
        ground = core.ground()
        assert await core.catalog.read(protection.reason_of, ground, 1) == "burst_not_archived"
        assert await core.catalog.read(protection.reason_of, ground, 3) is None
        # one that was deleted, or lies in another library, is nothing to wait for
        _change(world, "update assets set state = 'trashed' where id = 2")
        assert await refusals(core) == {}
        _change(world, "update assets set state = 'present', library = 'x' where id = 2")
        assert await refusals(core) == {"not_archived": 1}


async def test_gates_when_it_is_done(world: _World) -> None:
    world.with_safety(max_assets_per_plan=7, canary=2)
    async with world.core() as core:
        await run(core)
        # no more than the rules allow, and no less than the caller asked for by mistake
        assert (await core.plans.plan(100, None))[0].assets == 7
        assert (await core.plans.plan(-1, None))[0].assets == 1
        plan, _ = await core.plans.plan(3, None)
        await core.plans.approve(plan.plan_id, None)
        # an old proof and a target that can't be asked: its copies count for nothing
        _change(world, "update copies set proven_at = ?", now_ms() - 2 * DAY)
        await core.targets.close()
        marker = (world.target / MARKER_NAME).read_bytes()
        (world.target / MARKER_NAME).unlink()
        _, refused = await core.plans.execute(plan.plan_id, True, None)
        assert refused == {"too_few_copies": 3}
        assert await refusals(core) == {}  # a dry run changes nothing
        (world.target / MARKER_NAME).write_bytes(marker)
        # copies of a target that was taken away are neither asked for nor counted
        await core.targets.close()
    world.without_target = True
    async with world.core() as core:
        _, refused = await core.plans.execute(plan.plan_id, True, None)
        assert refused == {"too_few_copies": 3}
    world.without_target = False
    async with world.core() as core:
        # another asset smuggled in is not what was approved
        assert await core.catalog.read(plans.is_current, plan.plan_id)
        spare = "select max(id) from assets where id not in (select asset_id from plan_items)"
        _change(
            world,
            f"insert into plan_items select ?, ({spare}), 'x', 'y', 1, 'proposed', null, null",
            plan.plan_id,
        )
        assert not await core.catalog.read(plans.is_current, plan.plan_id)
        _change(world, "delete from plan_items where asset_tag = 'x'")
        done, refused = await core.plans.execute(plan.plan_id, False, None)
        assert (done.state, done.freed_assets, refused) == (PlanState.EXECUTED, 3, {})
        # the canary of two went first, alone
        with closing(sqlite3.connect(world.root / "private/catalog.db")) as database:
            sizes = [
                detail.count(",")
                for (detail,) in database.execute(
                    "select detail from journal where action = 'free_intent' order by id"
                )
            ]
        assert sizes == [1, 0]
