"""Rules of a target: what it receives, where that lies, and when it is sent."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from custom_components.media_pipeline.engine.catalog.schema import assets, copies, resources
from custom_components.media_pipeline.engine.clock import DAY, now_ms
from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.errors import InvalidLayout
from custom_components.media_pipeline.engine.layout import (
    EXAMPLE,
    LayoutFacts,
    check_layout,
    example,
    lay_out,
)
from custom_components.media_pipeline.engine.model import Content, Kind, Role, RunOutcome, Stage
from custom_components.media_pipeline.engine.rules import TargetRules, WhenDeleted

from .harness import World, hashes, make_world, run, stats

CHEAP: dict[str, str | int] = {"real": 0, "photo_bytes": 3000, "video_bytes": 6000}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch, assets=20, shared_library=4, **CHEAP) as made:
        yield made


async def paths_of(core: Core, *where: Any) -> set[str]:
    """Where the archived originals of these assets lie."""

    def read(connection: Connection) -> set[str]:
        query = (
            select(resources.c.path)
            .join(assets, assets.c.id == resources.c.asset_id)
            .where(resources.c.role.not_in([Role.RECORD, Role.XMP]), *where)
        )
        return set(connection.execute(query).scalars())

    return await core.catalog.read(read)


async def check(world: World, core: Core, *where: Any) -> None:
    """Run; the target has the files of exactly these assets, and misses nothing."""
    summary = await run(core)
    assert summary.outcome is RunOutcome.COMPLETED, summary
    everything, wanted = await paths_of(core), await paths_of(core, *where)
    assert wanted
    assert wanted < everything, "the rule excludes nothing here: the test would prove nothing"
    assert set(hashes(world.target)) == wanted
    status = core.board.snapshot.targets["disk"]
    assert status.missing == 0, "what a rule excludes is not missing"
    assert status.verified == status.copies > 0


async def test_kinds(world: World) -> None:
    world.rules = TargetRules(kinds=(Kind.VIDEO,))
    async with world.core() as core:
        await check(world, core, assets.c.kind == Kind.VIDEO)


async def test_favorites_only_and_one_more_later(world: World) -> None:
    world.stand_in.control("favorite", index=[3, 4])
    world.rules = TargetRules(favorites=True)
    async with world.core() as core:
        await check(world, core, assets.c.favorite)
        before = set(hashes(world.target))
        protected = (await stats(core)).protected
        assert protected == 2, "an asset that no target gets is not protected by it"
        world.stand_in.control("favorite", index=5)
        world.stand_in.control("favorite", index=3, on=False)
        await run(core)
        after = set(hashes(world.target))
        assert after > before, "what was sent stays, also when the rule no longer lets it through"


async def test_albums_by_name_path_and_folder(world: World) -> None:
    order = world.stand_in.control
    order("album", title="Trips", create=True, folder=True)
    order("album", title="Rome", create=True, parent="Trips", add=[1, 2])
    order("album", title="Best", create=True, add=[7])
    names = [asset["recordName"] for asset in world.stand_in.assets()]
    keys = [f"PrimarySync/{names[index]}" for index in (1, 2, 7)]
    world.rules = TargetRules(albums=("trips", "BEST"))
    async with world.core() as core:
        await check(world, core, assets.c.key.in_(keys))
    world.rules = TargetRules(albums=("Trips/Rome",))
    async with world.core() as core:
        order("album", title="Best", add=[8])
        order("album", title="Rome", add=[9])
        await run(core)
        keys.append(f"PrimarySync/{names[9]}")
        assert set(hashes(world.target)) == await paths_of(core, assets.c.key.in_(keys))
    world.rules = TargetRules(albums=("No such album",))
    async with world.core() as core:
        await run(core)
        assert core.board.snapshot.targets["disk"].missing == 0


async def test_libraries(world: World) -> None:
    shared = str(world.stand_in.state()["zones"][1])
    world.libraries = ("PrimarySync", shared)
    world.rules = TargetRules(libraries=(shared,))
    async with world.core() as core:
        await check(world, core, assets.c.library == shared)


async def test_not_older_than_days_and_from_a_day_on(world: World) -> None:
    async with world.core() as core:
        await run(core, Stage.INGEST)

        def ages(connection: Connection) -> list[int]:
            query = select(assets.c.captured).order_by(assets.c.captured)
            return list(connection.execute(query).scalars())

        middle = (await core.catalog.read(ages))[10]
    days = (now_ms() - middle) // DAY
    world.rules = TargetRules(newest_days=days)
    async with world.core() as core:
        await check(world, core, assets.c.captured >= now_ms() - days * DAY)
    world.rules = TargetRules(captured_from=middle, newest_days=days + 4000)
    for path in hashes(world.target):
        (world.target / path).unlink()
    async with world.core() as core:
        await core.catalog.write(lambda c: c.execute(copies.delete()) and None)
        await check(world, core, assets.c.captured >= middle)


async def test_an_undated_photo_is_not_newer_than_any_day(world: World) -> None:
    world.rules = TargetRules(captured_from=0)
    async with world.core() as core:
        await run(core, Stage.INGEST)

        def undate(connection: Connection) -> None:
            connection.execute(update(assets).where(assets.c.id == 5).values(captured=None))

        await core.catalog.write(undate)
        await check(world, core, assets.c.captured.is_not(None))


# --- where ----------------------------------------------------------------------------------------


async def test_layout_of_new_copies(world: World) -> None:
    world.stand_in.control("album", title="Rome", create=True, add=[1, 2])
    world.content = Content.ORIGINALS
    async with world.core() as core:
        await run(core, Stage.INGEST)
        world.rules = TargetRules(layout="{kind}/{album}/{year}-{month}/{name}")
    async with world.core() as core:
        await run(core)
        key = f"PrimarySync/{world.stand_in.assets()[1]['recordName']}"
        [inside] = await paths_of(core, assets.c.key == key, resources.c.role == Role.ORIGINAL)
        year, month, name = inside.split("/")
        sent = hashes(world.target)
        assert sent[f"photo/Rome/{year}-{month}/{name}"] == hashes(world.archive)[inside]
        assert all(path.split("/")[0] in {"photo", "video"} for path in sent)
        assert (world.target / f"photo/Rome/{year}-{month}/{Path(name).stem}.json").exists()
        assert sorted(sent.values()) == sorted(hashes(world.archive).values())
        before = set(sent)
    world.rules = TargetRules(layout="{library}/{year}/{month}/{name}")
    async with world.core() as core:
        [new] = world.stand_in.control("add")["assets"]
        await run(core)
        [path] = await paths_of(
            core, assets.c.key == f"PrimarySync/{new}", resources.c.role == Role.ORIGINAL
        )
        added = set(hashes(world.target)) - before
        assert f"personal/{path}" in added
        assert before <= set(hashes(world.target)), "copies that were sent stay where they are"
        assert {each.split("/")[0] for each in added} == {"personal"}
        assert core.board.snapshot.targets["disk"].missing == 0


async def test_the_camera_is_waited_for(world: World) -> None:
    world.rules = TargetRules(layout="{camera}/{year}/{month}/{name}")
    async with world.core() as core:
        await run(core, Stage.INGEST, Stage.SYNC)
        assert not hashes(world.target)
        assert core.board.snapshot.targets["disk"].missing > 0, "it is to be sent, only not yet"
        await run(core)
        assert sorted(hashes(world.target).values()) == sorted(hashes(world.archive).values())


@pytest.mark.parametrize(
    ("layout", "reason"),
    [
        ("{year}/{month}", "{name}"),
        ("{name}", "{year}/{month}"),
        ("{album}/{name}", "{year}/{month}"),
        ("{year}/{name}", "{year}/{month}"),
        ("{year}/{month}/{name}.bak", "{name}"),
        ("{year}/{month}/{name}/{name}", "{name}"),
        ("{year}/{month}/{person}/{name}", "{person}"),
        ("{year}/{month/{name}", "{ }"),
        ("/{year}/{month}/{name}", "/"),
        ("../{year}/{month}/{name}", ".."),
        ("{year}//{month}/{name}", "//"),
        (".hidden/{year}/{month}/{name}", ".hidden"),
        ("a:b/{year}/{month}/{name}", "a:b"),
        ("con/{year}/{month}/{name}", "con"),
        ("x\\{year}/{month}/{name}", "x\\{year}/{month}/{name}"),
    ],
)
def test_layouts_that_are_refused(layout: str, reason: str) -> None:
    with pytest.raises(InvalidLayout) as caught:
        check_layout(layout)
    assert caught.value.placeholders["reason"] == reason


def test_layouts() -> None:
    assert check_layout("  {year}/{month}/{name} ") == "{year}/{month}/{name}"
    assert example("{year}/{month}/{name}") == "2024/05/IMG_0042.HEIC"
    assert example("{library}/{album}/{id}_{name}").startswith("personal/Trips/Rome/")
    assert (
        example("{camera}, {year}-{month}-{day}_{name}")
        == "iPhone 15 Pro, 2024-05-12_IMG_0042.HEIC"
    )
    evil = LayoutFacts(
        name="IMG.JPG",
        folder="undated",
        key="k",
        library="SharedSync-12345678-9",
        kind="photo",
        album="../..//etc",
        camera="../../x",
    )
    laid = lay_out("{library}/{album}/{camera}/{year}-{month}-{day}/{name}", evil)
    assert laid == "shared 12345678/unnamed/unnamed/unnamed/etc/_._x/undated/IMG.JPG"
    assert lay_out("{year}/{month}/{name}", evil) == "undated/IMG.JPG"
    assert lay_out("{year}/{month}/{day}_{name}", evil) == "undated/IMG.JPG"
    assert lay_out("x/{year}/{month}/{name}", EXAMPLE) == "x/2024/05/IMG_0042.HEIC"


# --- when -----------------------------------------------------------------------------------------


async def test_a_closed_gate_holds_the_target_only(world: World) -> None:
    world.gated = True
    async with world.core() as core:
        summary = await run(core)
        assert summary.outcome is RunOutcome.COMPLETED, "waiting for its time is no problem"
        assert not hashes(world.target)
        assert not (world.target / ".media_pipeline.json").exists(), "not even connected to"
        assert (await stats(core)).archived == 20
        assert core.board.snapshot.targets["disk"].missing > 0
        core.targets.set_gate("disk", is_open=True)
        await run(core, Stage.SYNC)
        assert hashes(world.target) == hashes(world.archive)
        core.targets.set_gate("disk", is_open=False)
        await run(core, Stage.VERIFY)
        assert core.board.snapshot.targets["disk"].verified == 0
        core.targets.set_gate("disk", is_open=True)
        await run(core, Stage.VERIFY)
        status = core.board.snapshot.targets["disk"]
        assert status.verified == status.copies > 0


async def test_a_gate_that_closes_in_the_middle(world: World) -> None:
    async with world.core() as core:
        await run(core, Stage.INGEST)
        target = await core.targets.get("disk")
        deliver = target.deliver
        sent = 0

        async def closing(*args: Any, **more: Any) -> Any:
            nonlocal sent
            sent += 1
            if sent == 5:
                core.targets.set_gate("disk", is_open=False)
            await asyncio.sleep(0.01)
            return await deliver(*args, **more)

        target.deliver = closing  # type: ignore[method-assign]
        await run(core, Stage.SYNC)
        # eight at the same time: those under way are finished, no other is begun
        assert 5 <= sent <= 5 + 8
        core.targets.set_gate("disk", is_open=True)
        await run(core, Stage.SYNC)
        assert hashes(world.target) == hashes(world.archive)


# --- how long -------------------------------------------------------------------------------------


async def test_what_its_owner_deleted_moves_aside_after_days(world: World) -> None:
    world.rules = TargetRules(when_deleted=WhenDeleted.ARCHIVE, keep_days=5)
    async with world.core() as core:
        await run(core)
        key = f"PrimarySync/{world.stand_in.assets()[4]['recordName']}"
        [*paths] = await paths_of(core, assets.c.key == key)
        before = hashes(world.target)
        world.stand_in.control("delete", index=4)
        await run(core)
        assert hashes(world.target) == before, "not yet"

        def later(connection: Connection) -> None:
            connection.execute(
                update(assets)
                .where(assets.c.left_at.is_not(None))
                .values(left_at=assets.c.left_at - 6 * DAY)
            )

        await core.catalog.write(later)
        await run(core)
        after = hashes(world.target)
        assert set(before) - set(after) == set(paths)
        assert set(after) < set(before)
        for path in paths:
            assert (world.target / ".archive" / path).read_bytes() == (
                world.archive / path
            ).read_bytes()
        assert (await stats(core)).protected == 19
        await core.catalog.write(lambda c: c.execute(copies.update().values(proven_at=1)) and None)
        summary = await run(core, Stage.SYNC, Stage.VERIFY)
        assert summary.outcome is RunOutcome.COMPLETED
        assert not [event for event in world.events if event.type == "copy_lost"]
        status = core.board.snapshot.targets["disk"]
        assert (status.missing, status.verified) == (0, status.copies), "nothing is sent anew"
        world.stand_in.control("restore", index=4)
        await run(core)
        assert (await stats(core)).protected == 20, "copies that moved aside count as before"


async def test_what_a_cleanup_freed_stays_where_it_is(world: World) -> None:
    world.rules = TargetRules(when_deleted=WhenDeleted.ARCHIVE, keep_days=1)
    async with world.core() as core:
        await run(core)
        before = hashes(world.target)
        plan, _ = await core.plans.plan(3, "test")
        await core.plans.approve(plan.plan_id, "test")
        done, _ = await core.plans.execute(plan.plan_id, False, "test")
        assert len(world.trashed()) == 3, done
        await run(core)
        await core.catalog.write(lambda c: c.execute(update(assets).values(left_at=1)) and None)
        await run(core)
        assert hashes(world.target) == before
