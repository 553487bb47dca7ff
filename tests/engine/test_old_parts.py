"""Part files that nobody will finish do not lie in the archive for ever."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, update

from custom_components.media_pipeline.engine.archive import PARTS
from custom_components.media_pipeline.engine.catalog.schema import assets, resources
from custom_components.media_pipeline.engine.clock import DAY, now_ms
from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.model import ResourceState, Stage

from .harness import World, make_world, run

WEEK = 7 * 24 * 3600


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch, assets=6) as made:
        yield made


def parts(world: World) -> set[str]:
    return {path.name for path in (world.archive / PARTS).iterdir()}


def age(world: World, seconds: float, names: set[str] | None = None) -> None:
    for name in parts(world) if names is None else names:
        os.utime(world.archive / PARTS / name, (time.time() - seconds,) * 2)


async def cut_off(core: Core, world: World) -> dict[str, set[str]]:
    """A run in which every body breaks off, to be tried tomorrow; asset key → its part files."""
    world.stand_in.fault("content", cut_after=1000)
    await core.runs.wait(await core.runs.start((Stage.INGEST,), "test", seconds=1.5))
    world.stand_in.control("clear_faults")
    await core.catalog.write(_try_at, now_ms() + DAY)
    owners = await core.catalog.read(_owners)
    left: dict[str, set[str]] = {}
    for name in parts(world):
        left.setdefault(owners[int(name.partition("-")[0])], set()).add(name)
    assert len(left) > 2
    return left


def _try_at(connection: Connection, when: int) -> None:
    connection.execute(update(resources).values(next_attempt=when))


def _owners(connection: Connection) -> dict[int, str]:
    rows = connection.execute(
        select(resources.c.id, assets.c.key).join(assets, assets.c.id == resources.c.asset_id)
    )
    return {row.id: row.key for row in rows}


async def test_of_an_asset_that_was_deleted_for_good(world: World) -> None:
    async with world.core() as core:
        left = await cut_off(core, world)
        key, gone = next(iter(left.items()))
        numbers = {f"PrimarySync/{a['recordName']}": a["index"] for a in world.stand_in.assets()}
        world.stand_in.control("delete", index=numbers[key])
        world.stand_in.control("purge", index=numbers[key])
        age(world, WEEK - 60)
        await run(core, Stage.INGEST)
        assert gone <= parts(world), "not yet a week old"
        age(world, WEEK + 60)
        everything = parts(world)
        await run(core, Stage.INGEST)
        assert parts(world) == everything - gone, "what is pending goes on from its part"


async def test_of_an_older_version_and_not_in_a_run_that_broke_off(world: World) -> None:
    async with world.core() as core:
        await cut_off(core, world)
        first = min(parts(world))
        older = f"{first.partition('-')[0]}-{'0' * 12}.part"
        foreign = {"notes.txt", "12.part"}
        for name in (older, *foreign):
            (world.archive / PARTS / name).write_bytes(b"old")
        age(world, WEEK + 60)
        world.stand_in.fault("changes_database", status=500)
        await run(core, Stage.INGEST)
        assert older in parts(world), "the run did not see what is wanted"
        world.stand_in.control("clear_faults")
        await core.catalog.write(_try_at, 0)
        await run(core, Stage.INGEST)
        assert parts(world) == foreign
        states = await core.catalog.read(
            lambda connection: set(
                connection.execute(
                    select(resources.c.state).where(resources.c.role == "original")
                ).scalars()
            )
        )
        assert states == {ResourceState.ARCHIVED}
