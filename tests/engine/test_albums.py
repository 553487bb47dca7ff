"""Albums: listed with few requests, then kept up to date by the change feed alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, text, update

from custom_components.media_pipeline.engine.catalog.albums import album_paths, store_albums
from custom_components.media_pipeline.engine.catalog.schema import album_assets, albums, assets
from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.model import AlbumChanges, AlbumRecord, Stage

from .harness import World, make_world, run
from .test_run import API

ASSETS = 230


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    options: dict[str, str | int] = {"real": 0, "photo_bytes": 2000, "kinds": "jpeg"}
    with make_world(tmp_path, monkeypatch, assets=ASSETS, **options) as made:
        yield made


def _stored(connection: Connection) -> dict[str, set[str]]:
    """Album path → record names of its assets; of folders nothing."""
    keys = list(connection.execute(select(album_assets.c.asset_key).distinct()).scalars())
    found: dict[str, set[str]] = {}
    for key, paths in album_paths(connection, keys).items():
        for path in paths:
            found.setdefault(path, set()).add(key.partition("/")[2])
    return found


def _names(world: World, *indices: int) -> set[str]:
    every = world.stand_in.assets()
    return {every[index]["recordName"] for index in indices}


async def _api_calls(world: World, core: Core) -> int:
    world.stand_in.control("reset_counts")
    await run(core, Stage.INGEST)
    counts = world.stand_in.counts()
    return sum(counts.get(name, 0) for name in (*API, "albums"))


async def test_first_listing_and_every_change(world: World) -> None:
    order = world.stand_in.control
    order("album", title="Holidays", delete=True)
    order("album", title="Trips", create=True, folder=True)
    order("album", title="Italy", create=True, folder=True, parent="Trips")
    order("album", title="Rome", create=True, parent="Italy", add=list(range(150)))
    order("album", title="Best", create=True, add=[0, 7])
    async with world.core() as core:
        # library 2, the empty page behind it twice, hidden, deleted;
        # albums: 3 levels, Best 1, Rome 3; the feed and its zones 2
        assert await _api_calls(world, core) == 6 + 3 + 4 + 2
        assert await core.catalog.read(_stored) == {
            "Trips/Italy/Rome": _names(world, *range(150)),
            "Best": _names(world, 0, 7),
        }
        assert await _api_calls(world, core) == 1

        order("album", title="Best", rename="Finest", add=[3], remove=[7])
        order("album", title="Italy", rename="Italia")
        order("album", title="New", create=True, add=[9])
        assert await _api_calls(world, core) == 2
        stored = await core.catalog.read(_stored)
        assert stored["Finest"] == _names(world, 0, 3)
        assert stored["New"] == _names(world, 9)
        assert len(stored["Trips/Italia/Rome"]) == 150

        order("album", title="Trips", delete=True)
        order("purge", index=9)
        assert await _api_calls(world, core) == 2
        assert await core.catalog.read(_stored) == {"Finest": _names(world, 0, 3)}
        kept = await core.catalog.read(lambda c: c.execute(select(albums.c.name)).scalars().all())
        assert sorted(kept) == ["Finest", "New"]


async def test_a_new_walk_mends_what_the_feed_never_told(world: World) -> None:
    async with world.core() as core:
        await run(core, Stage.INGEST)
        before = await core.catalog.read(_stored)
        assert before == {"Holidays": _names(world, *range(0, 200, 10))}
        world.stand_in.control("hide", index=10)
        await run(core, Stage.INGEST)

        def spoil(connection: Connection) -> None:
            connection.execute(text("delete from album_assets where rowid % 2 = 0"))
            store_albums(
                connection,
                AlbumChanges(
                    albums=(AlbumRecord("PrimarySync/GHOST", "PrimarySync", "Ghost"),),
                    joined=(("PrimarySync/GHOST", f"PrimarySync/{_names(world, 5).pop()}"),),
                ),
            )
            connection.execute(update(assets).values(record_saved=True))

        await core.catalog.write(spoil)
        world.stand_in.control("reject_tokens")
        await run(core, Stage.INGEST)
        after = await core.catalog.read(_stored)
        # hidden ones are not listed, so the album keeps what it knew of them
        assert before["Holidays"] - after["Holidays"] <= _names(world, 10)
        assert set(after) == {"Holidays"}


async def test_folders_in_a_circle_do_not_hang(world: World) -> None:
    def circle(connection: Connection) -> dict[str, tuple[str, ...]]:
        store_albums(
            connection,
            AlbumChanges(
                albums=(
                    AlbumRecord("Z/A", "Z", "A", "Z/B", folder=True),
                    AlbumRecord("Z/B", "Z", "B", "Z/A", folder=True),
                    AlbumRecord("Z/C", "Z", "a/b", "Z/A"),
                ),
                joined=(("Z/C", "Z/x"),),
            ),
        )
        return album_paths(connection, ["Z/x"])

    async with world.core() as core:
        assert await core.catalog.write(circle) == {"Z/x": ("B/A/a_b",)}
