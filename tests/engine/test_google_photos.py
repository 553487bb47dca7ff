"""Runs with Google Photos as the target: handed over once, inferred when listed, never counted."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_socket

from custom_components.media_pipeline.engine.catalog.store import set_values
from custom_components.media_pipeline.engine.config import EngineConfig
from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.model import Content, RunOutcome, TargetStatus
from custom_components.media_pipeline.engine.targets.google_photos import GooglePhotosTargetConfig
from tests.support.google_photos import GooglePhotos
from tests.support.rclone import PASSWORD, USER, Rclone

from .harness import World, make_world, run, stats
from .targets.conftest import need_rclone

ASSETS = 6


class PhotosWorld(World):
    """Its one target is Google Photos, behind a real rclone."""

    google: GooglePhotos
    rclone: Rclone
    remote = "gphotos:"

    def config(self) -> EngineConfig:
        target = GooglePhotosTargetConfig(
            target_id="google",
            name="Google Photos",
            url=self.rclone.url,
            username=USER,
            password=PASSWORD,
            remote=self.remote,
            content=Content.ORIGINALS,
        )
        return replace(super().config(), targets=(target,))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PhotosWorld]:
    pytest_socket.enable_socket()
    need_rclone()
    google = GooglePhotos(tmp_path).start()
    (tmp_path / "rclone").mkdir()
    rclone = Rclone(tmp_path / "rclone", environment=google.environment)
    rclone.remote("gphotos", **google.options)
    rclone.start()
    with make_world(tmp_path, monkeypatch, assets=ASSETS) as made:
        world = PhotosWorld(**{name: getattr(made, name) for name in made.__dataclass_fields__})
        world.google, world.rclone = google, rclone
        yield world
    rclone.close()
    google.close()


async def status(core: Core) -> TargetStatus:
    return (await core.board.refresh()).targets["google"]


async def sql(core: Core, statement: str, *values: Any) -> list[Any]:
    def ask(connection: Any) -> list[Any]:
        result = connection.exec_driver_sql(statement, values)
        return list(result) if result.returns_rows else []

    return await core.catalog.write(ask)


async def test_handed_over_and_never_counted(world: PhotosWorld) -> None:
    world.with_safety(required_copies=2, require_off_machine=True)
    async with world.core() as core:
        summary = await run(core)
        assert summary.outcome is RunOutcome.COMPLETED
        there = world.google.items
        # no records, no sidecars: they would be no photos
        assert there
        assert len({item.data for item in there}) == len(there)
        assert not [item for item in there if item.filename.endswith((".json", ".xmp", ".AAE"))]
        now = await status(core)
        assert (now.state, now.missing) == ("ok", 0)
        assert (now.delivered, now.inferred, now.verified) == (len(there), len(there), 0)
        assert await sql(core, "select distinct state from copies") == [("delivered",)]
        assert await sql(core, "select counts from targets") == [(0,)]
        assert (await stats(core)).protected == 0, "it is the only place beside the archive"

        world.google.calls.clear()
        assert (await run(core)).outcome is RunOutcome.COMPLETED
        assert [call for call in world.google.calls if "upload" in call or "search" in call] == []
        assert len(world.google.items) == len(there)


async def test_inferred_only_when_it_is_listed(world: PhotosWorld) -> None:
    """Google may list nothing; names that several photos have must all be there."""
    world.google.hides = True
    async with world.core() as core:
        assert (await run(core)).outcome is RunOutcome.COMPLETED
        now = await status(core)
        assert (now.missing, now.inferred) == (0, 0)
        assert now.delivered == len(world.google.items) > 2

        world.google.hides = False
        await run(core)
        assert (await status(core)).inferred == 0, "looked at not long ago"

        [(one,), (two,)] = await sql(core, "select id from copies order by id limit 2")
        await sql(core, "update copies set path = 'upload/same.jpg' where id in (?, ?)", one, two)
        await core.catalog.write(set_values, "listed_at/", {"google": "1"})
        names = {row[0] for row in await sql(core, "select path from copies")}
        first, second = (
            item for item in world.google.items if f"upload/{item.filename}" not in names
        )
        first.filename = "same.jpg"
        await run(core)
        assert (await status(core)).inferred == now.delivered - 2

        second.filename = "same.jpg"
        await core.catalog.write(set_values, "listed_at/", {"google": "1"})
        await run(core)
        assert (await status(core)).inferred == now.delivered


async def test_full_and_refused(world: PhotosWorld) -> None:
    """Storage that is full stops the target; everything arrives once there is room."""
    world.google.full = True
    world.remote = "gphotos:album/iCloud"
    async with world.core() as core:
        assert (await run(core)).outcome is RunOutcome.COMPLETED_WITH_PROBLEMS
        now = await status(core)
        assert (now.state, now.delivered) == ("target_full", 0)
        world.google.full = False
        assert (await run(core)).outcome is RunOutcome.COMPLETED
        now = await status(core)
        assert (now.state, now.missing) == ("ok", 0)
        assert world.google.names("iCloud") == world.google.names()
        assert now.inferred == now.delivered == len(world.google.items)
