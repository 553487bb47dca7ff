"""A hand-off counts nothing towards freeing, whatever it holds, and gets everything once."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from custom_components.media_pipeline.engine.catalog import work
from custom_components.media_pipeline.engine.config import EngineConfig
from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.marker import MARKER_NAME
from custom_components.media_pipeline.engine.model import Content, RunOutcome, Stage
from custom_components.media_pipeline.engine.rules import TargetRules

from .harness import World, hashes, make_world, media_files, refusals, run, stats

ASSETS = 8


class _World(World):
    """Its one target is a hand-off, or is not."""

    hand_off = True

    def config(self) -> EngineConfig:
        config = super().config()
        targets = tuple(replace(target, hand_off=self.hand_off) for target in config.targets)
        return replace(config, targets=targets)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_World]:
    with make_world(tmp_path, monkeypatch, assets=ASSETS) as made:
        made.with_safety(protect_favorites=False, protect_hidden=False)
        yield _World(**{name: getattr(made, name) for name in made.__dataclass_fields__})


def sql(world: World, statement: str) -> list[Any]:
    with closing(sqlite3.connect(world.root / "private/catalog.db")) as database:
        rows = database.execute(statement).fetchall()
        database.commit()
        return rows


async def missing(core: Core, world: World) -> int:
    """Files that the target still waits for."""
    count, _ = await core.catalog.read(work.waiting_send, "disk", world.content, TargetRules())
    return count


async def test_what_is_handed_over_frees_nothing(world: _World) -> None:
    async with world.core() as core:
        assert (await run(core)).outcome is RunOutcome.COMPLETED
        states = sql(world, "select distinct state, proven_at from copies")
        assert states == [("delivered", None)], "handed over, never verified"
        numbers = await stats(core)
        assert (numbers.protected, numbers.freeable) == (0, 0)
        assert set(await refusals(core)) == {"too_few_copies"}


async def test_not_even_a_proven_copy_counts_there(world: _World) -> None:
    async with world.core() as core:
        await run(core)
        sql(world, "update copies set state = 'verified', proven_at = 9999999999999")
        assert (await stats(core)).protected == 0, "the place itself counts for nothing"
        sql(world, "update targets set counts = 1")
        assert (await stats(core)).protected == ASSETS, "and that alone is why"


async def test_delivered_is_not_verified(world: _World) -> None:
    async with world.core() as core:
        await run(core)
        sql(world, "update targets set counts = 1")
        assert (await stats(core)).protected == 0


async def test_nothing_is_sent_twice_whatever_happens_there(world: _World) -> None:
    async with world.core() as core:
        await run(core)
        sent = hashes(world.target)
        assert sent
        for path in media_files(world.target):
            path.unlink()
        await run(core)
        assert hashes(world.target) == {}, "gone from there is not lost"
        assert await missing(core, world) == 0


async def test_no_papers_and_no_bytes_twice(world: _World) -> None:
    async with world.core() as core:
        await run(core)
        found = [path for path in world.target.rglob("*") if path.name != MARKER_NAME]
        assert not [path for path in found if path.suffix.lower() in {".json", ".xmp", ".aae"}]
        digests = [hashlib.sha256(p.read_bytes()).hexdigest() for p in media_files(world.target)]
        assert len(digests) == len(set(digests))
        # the same photo under another asset, as after a move between libraries
        twin = "select id from resources where role = 'original' and path is not null limit 2"
        (one,), (two,) = sql(world, twin)
        sql(world, f"delete from copies where resource_id = {two}")  # noqa: S608
        same = f"(select sha256 from resources where id = {one})"  # noqa: S608
        sql(world, f"update resources set sha256 = {same} where id = {two}")  # noqa: S608
        await run(core, Stage.SYNC)
        assert sql(world, f"select state from copies where resource_id = {two}") == []  # noqa: S608


async def test_what_was_made_anew_is_no_second_photo(world: _World) -> None:
    world.content = Content.COMPRESSED
    world.compress = replace(world.compress, photos=True)
    async with world.core() as core:
        await run(core)
        ((made, before),) = sql(
            world,
            "select r.id, r.derived_from from resources r join copies c on c.resource_id = r.id"
            " where r.role = 'compressed' and r.current limit 1",
        )
        count = len(media_files(world.target))
        sql(
            world,
            "insert into resources (asset_id, role, current, filename, size, version, state, path,"  # noqa: S608
            " sha256, derived_from) select asset_id, role, 1, filename, size, 'again', state, path,"
            f" 'another', {before} from resources where id = {made}",
        )
        sql(world, f"update resources set current = 0 where id = {made}")  # noqa: S608
        await run(core, Stage.SYNC)
        assert len(media_files(world.target)) == count
        assert await missing(core, world) == 0


async def test_a_place_that_becomes_a_target_again_is_proven_first(world: _World) -> None:
    async with world.core() as core:
        await run(core)
    world.hand_off = False
    async with world.core() as core:
        assert (await stats(core)).protected == 0
        await run(core)
        assert (await stats(core)).protected == ASSETS
    world.hand_off = True
    async with world.core() as core:
        assert (await stats(core)).protected == 0
        assert sql(world, "select distinct state from copies where path not like '%.json'") == [
            ("delivered",)
        ]
