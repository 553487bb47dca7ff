"""Copies that no longer belong at a target: off unless chosen, aside first, and never the last."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.clock import DAY
from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.model import RunOutcome, Stage
from custom_components.media_pipeline.engine.rules import TargetRules, WhenDeleted

from .harness import World, hashes, media_files, run, stats
from .years import ask, change, checked, journal, small_world, spoil, verify, with_nas

KEEP = 5
DELETE = 10


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with small_world(tmp_path, monkeypatch, assets=5) as made:
        made.rules = TargetRules(keep_days=KEEP, delete_days=DELETE)
        yield made


@asynccontextmanager
async def _with_copies(world: World) -> AsyncIterator[Core]:
    """Everything is archived and lies at both targets; the owner has deleted two photos."""
    async with with_nas(world), world.core() as core:
        await run(core)
        world.stand_in.control("delete", index=2)
        world.stand_in.control("delete", index=3)
        await run(core)
        yield core


async def _days_pass(core: Core, days: int) -> None:
    for query in (
        "update copies set left_at = left_at - :age",
        "update copies set proven_at = proven_at - :age",
        "update resources set proven_at = proven_at - :age",
    ):
        await change(core, query, age=days * DAY)


async def _to_the_end(core: Core) -> None:
    """Both times pass, with the runs between."""
    await _days_pass(core, KEEP + 1)
    await run(core, Stage.SYNC)
    await _days_pass(core, DELETE + 1)
    await run(core, Stage.SYNC)


def _all_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.suffix == ".JPG"]


async def test_it_is_off_by_default(world: World) -> None:
    assert TargetRules().delete_days == 0
    world.rules = TargetRules(when_deleted=WhenDeleted.ARCHIVE, keep_days=1)
    async with _with_copies(world) as core:
        await change(core, "update assets set left_at = 1")
        for _ in range(3):
            await run(core)
            await _days_pass(core, 1000)
        assert len(_all_below(world.target)) == 5
        assert await journal(core, "copy_deleted") == 0


async def test_deleted_at_the_source_moves_aside_and_is_deleted_later(world: World) -> None:
    async with _with_copies(world) as core:
        before = hashes(world.target)
        assert len(before) == 5, "not yet"
        await _days_pass(core, KEEP + 1)
        await run(core, Stage.SYNC)
        assert len(hashes(world.target)) == 3
        assert len(_all_below(world.target)) == 5, "aside, and still there"
        await _days_pass(core, DELETE - 1)
        await run(core, Stage.SYNC)
        assert len(_all_below(world.target)) == 5, "not yet"
        await _days_pass(core, 2)
        summary = await run(core)
        assert summary.outcome is RunOutcome.COMPLETED, summary
        assert len(_all_below(world.target)) == 3
        assert hashes(world.archive) == before, "the archive keeps everything"
        assert await journal(core, "copy_lost") == 0
        await _to_the_end(core)  # the records were written anew, and noticed a run later
        rows = await ask(core, "select actor, detail from journal where action = 'copy_deleted'")
        assert len(rows) == 6, "two photos with record and sidecar"
        assert all(row.actor == "target rules" for row in rows)
        assert all('"why": "deleted_at_source"' in row.detail for row in rows)
        await run(core)
        await verify(core)
        assert len(_all_below(world.target)) == 3, "it is not sent again"
        assert core.board.snapshot.targets["disk"].missing == 0
        assert not [event for event in world.events if event.type == "copy_lost"]
        assert checked(world.target)
        world.stand_in.control("restore", index=2)
        await run(core)
        await run(core)
        assert len(hashes(world.target)) == 4, "it belongs there again"
        assert (await stats(core)).protected == 4


async def test_what_the_rules_no_longer_let_through_goes_too(world: World) -> None:
    world.stand_in.control("favorite", index=[0, 1, 2])
    async with with_nas(world):
        world.rules = TargetRules(favorites=True, keep_days=KEEP, delete_days=DELETE)
        async with world.core() as core:
            await run(core)
            kept = hashes(world.target)
            assert len(kept) == 3
            world.stand_in.control("favorite", index=[0, 1], on=False)
            await run(core)
            await _days_pass(core, KEEP + 1)
            world.stand_in.control("favorite", index=0)
            await run(core)
            assert len(hashes(world.target)) == 2, "one is a favorite again in time"
            await _days_pass(core, DELETE + 1)
            await run(core)
            assert len(_all_below(world.target)) == 2
            ((why,),) = await ask(
                core,
                "select distinct json_extract(detail, '$.why') from journal"
                " where action = 'copy_deleted'",
            )
            assert why == "outside_the_rules"
            world.stand_in.control("favorite", index=1)
            await run(core)
            await run(core)
            assert hashes(world.target) == kept


@pytest.mark.parametrize(
    "trouble",
    ["too_few_copies", "nothing_off_machine", "archive_lost", "other_copy_lost", "changed_there"],
)
async def test_never_below_the_required_copies(world: World, trouble: str) -> None:
    if trouble == "too_few_copies":
        world.with_safety(required_copies=3)
    async with _with_copies(world) as core:
        nas = world.root / "nas" / "photos"
        await _days_pass(core, KEEP + 1)
        await run(core, Stage.SYNC)
        names = {path.name for path in _all_below(world.target / ".archive")}
        assert len(names) == 2
        await _days_pass(core, DELETE + 1)
        if trouble == "nothing_off_machine":
            await change(core, "update targets set domain = 'x', off_machine = 0 where id = 'nas'")
            core.targets._configs = {
                key: config for key, config in core.targets.configs.items() if key != "nas"
            }
        elif trouble == "archive_lost":
            for path in media_files(world.archive):
                if path.name in names:
                    spoil(path)
        elif trouble == "other_copy_lost":
            for path in media_files(nas):
                if path.name in names:
                    spoil(path)
        elif trouble == "changed_there":
            for path in _all_below(world.target / ".archive"):
                spoil(path)
        await run(core, Stage.SYNC)
        left = {path.name for path in _all_below(world.target) if path.name in names}
        assert left == names
        deleted = await ask(
            core,
            "select 1 from journal where action = 'copy_deleted'"
            " and (:all or json_extract(detail, '$.path') like '%.JPG')",
            all=trouble != "changed_there",
        )
        assert not deleted


async def test_what_a_cleanup_freed_belongs_there(world: World) -> None:
    async with with_nas(world), world.core() as core:
        await run(core)
        plan, _ = await core.plans.plan(3, "test")
        await core.plans.approve(plan.plan_id, "test")
        await core.plans.execute(plan.plan_id, False, "test")
        assert len(world.trashed()) == 3
        await run(core)
        await _to_the_end(core)
        assert len(hashes(world.target)) == 5


async def test_freed_and_outside_the_rules_only_while_others_protect_it(world: World) -> None:
    async with with_nas(world):
        async with world.core() as core:
            await run(core)
            plan, _ = await core.plans.plan(3, "test")
            await core.plans.approve(plan.plan_id, "test")
            await core.plans.execute(plan.plan_id, False, "test")
        world.rules = TargetRules(captured_from=4_000_000_000_000, delete_days=DELETE, keep_days=1)
        world.with_safety(required_copies=3)
        async with world.core() as core:
            await run(core)
            await _to_the_end(core)
            assert len(_all_below(world.target)) == 5
        world.with_safety(required_copies=2)
        async with world.core() as core:
            await run(core)
            assert len(_all_below(world.target)) == 0
            assert len(hashes(world.archive)) == len(hashes(world.root / "nas" / "photos")) == 5


async def test_two_targets_do_not_rely_on_each_other(world: World) -> None:
    """Both want to let go of the same photos: the second one to be asked keeps them."""
    rules = TargetRules(keep_days=KEEP, delete_days=DELETE)
    async with with_nas(world, rules=rules) as nas, world.core() as core:
        await run(core)
        world.stand_in.control("delete", index=2)
        await run(core)
        await _to_the_end(core)
        await run(core, Stage.SYNC)
        assert len(_all_below(world.target)) + len(_all_below(nas)) == 9
