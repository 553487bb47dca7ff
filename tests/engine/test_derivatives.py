"""What compress makes beside smaller versions: for phones, to give away, and what files say."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from custom_components.media_pipeline.engine.catalog import media_info, results
from custom_components.media_pipeline.engine.catalog.schema import assets, derivatives, resources
from custom_components.media_pipeline.engine.catalog.schema import media_info as info
from custom_components.media_pipeline.engine.config import CompressConfig
from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.media.probe import probe_file
from custom_components.media_pipeline.engine.model import Content, Role, RunOutcome, Stage

from .harness import World, hashes, make_world, media_files, run, stats

PROBED = {Role.ORIGINAL, Role.ALTERNATIVE, Role.LIVE_VIDEO, Role.EDITED, Role.EDITED_VIDEO}
LATER = (Stage.COMPRESS, Stage.SYNC)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch, assets=14) as made:
        yield made


async def rows(core: Core, *where: Any) -> list[Any]:
    def read(connection: Connection) -> list[Any]:
        query = select(resources, assets.c.favorite, assets.c.title).join(
            assets, assets.c.id == resources.c.asset_id
        )
        return list(connection.execute(query.where(resources.c.current, *where)))

    return await core.catalog.read(read)


async def test_phone_gets_motion_photos(world: World) -> None:
    world.content = Content.MOTION_PHOTOS
    async with world.core() as core:
        assert (await run(core)).outcome is RunOutcome.COMPLETED
        films = await rows(core, resources.c.role == Role.LIVE_VIDEO)
        stills = {row.asset_id: row for row in await rows(core, resources.c.role == Role.ORIGINAL)}
        made = {
            row.asset_id: row for row in await rows(core, resources.c.role == Role.MOTION_PHOTO)
        }
        assert len(films) >= 2
        assert {film.asset_id for film in films} == set(made)
        sent = hashes(world.target)
        for film in films:
            still, motion = stills[film.asset_id], made[film.asset_id]
            assert motion.path.startswith("motion/")
            assert ".MP." in motion.path
            assert sent[motion.path] == motion.sha256
            assert not {still.path, film.path} & set(sent)  # only the one file
            assert (world.archive / still.path).exists()  # the archive keeps the pair
            assert (world.archive / film.path).exists()
        others = [row for row in stills.values() if row.asset_id not in made]
        assert others
        assert {row.path for row in others} <= set(sent)
        told = [*world.target.rglob("*.json"), *world.target.rglob("*.[aA][aA][eE]")]
        assert [path.name for path in told] == [".media_pipeline.json"]
        await run(core)
        assert hashes(world.target) == sent


async def test_pair_that_can_not_be_joined_comes_as_two_files(world: World) -> None:
    world.content = Content.MOTION_PHOTOS
    async with world.core() as core:
        await run(core, Stage.INGEST)
        film = (await rows(core, resources.c.role == Role.LIVE_VIDEO))[0]
        (world.archive / film.path).write_bytes(b"no film")  # refused when it is read
        await run(core, *LATER)
        still = (
            await rows(
                core,
                resources.c.asset_id == film.asset_id,
                resources.c.role == Role.ORIGINAL,
            )
        )[0]
        assert still.path in hashes(world.target)


async def test_motion_photo_follows_its_parts(world: World) -> None:
    world.content = Content.MOTION_PHOTOS
    async with world.core() as core:
        await run(core)
        motion = (await rows(core, resources.c.role == Role.MOTION_PHOTO))[0]
        (world.archive / motion.path).write_bytes(b"damaged")
        await core.catalog.write(results.archive_damaged, motion.id, "checksum_mismatch")
        await run(core, *LATER)
        again = await rows(
            core,
            resources.c.asset_id == motion.asset_id,
            resources.c.role == Role.MOTION_PHOTO,
        )
        assert [row.sha256 for row in again] == [motion.sha256]
        assert again[0].id != motion.id
        # as if the source had another film now
        await core.catalog.write(
            lambda connection: connection.execute(
                update(derivatives)
                .where(derivatives.c.asset_id == motion.asset_id)
                .values(inputs="another")
            )
        )
        await run(core, *LATER)
        newest = await rows(
            core,
            resources.c.asset_id == motion.asset_id,
            resources.c.role == Role.MOTION_PHOTO,
        )
        assert len(newest) == 1
        assert newest[0].id != again[0].id


async def test_share_copies_say_no_place(world: World) -> None:
    world.content = Content.SHARE
    async with world.core() as core:
        assert (await run(core)).outcome is RunOutcome.COMPLETED
        shown = await rows(core, resources.c.role.in_([Role.ORIGINAL, Role.EDITED]))
        made = {row.asset_id: row for row in await rows(core, resources.c.role == Role.SHARE)}
        sent = hashes(world.target)
        assert sent == {row.path: row.sha256 for row in made.values()}
        assert set(made) == {row.asset_id for row in shown}
        await run(core, Stage.VERIFY)
        numbers = await stats(core)
        assert (numbers.protected, numbers.freeable) == (0, 0)  # proven, and yet no original
        assert len(list(world.target.rglob("*.json"))) == 1  # the marker
        placed = 0
        for file in media_files(world.target):
            found = probe_file(file)
            assert (found["latitude"], found["longitude"], found["content_id"]) == (None,) * 3
            assert found["container"] in {"jpeg", "mp4"}
        for row in shown:
            placed += probe_file(world.archive / row.path)["latitude"] is not None
        assert placed > 3
        edits = {row.asset_id: row for row in shown if row.role == Role.EDITED}
        assert edits
        for asset_id, edit in edits.items():
            assert made[asset_id].derived_from == edit.id


async def test_files_are_read_once(world: World) -> None:
    async with world.core() as core:
        await run(core)
        wanted = {row.id: row for row in await rows(core, resources.c.role.in_(PROBED))}
        known = {
            row.resource_id: row
            for row in await core.catalog.read(lambda c: c.execute(select(info)).all())
        }
        assert set(known) == set(wanted)
        for key, row in known.items():
            assert row.sha256 == wanted[key].sha256
            assert row.error is None, (wanted[key].filename, row.error)
            assert (row.width and row.height) or row.codec == "raw"
        films = [known[row.id] for row in wanted.values() if row.role == Role.LIVE_VIDEO]
        assert len({film.content_id for film in films} - {None}) == len(films) >= 2
        assert await core.catalog.read(media_info.to_probe, 99) == []
        row = next(iter(wanted.values()))
        await core.catalog.write(
            lambda c: c.execute(
                update(info).where(info.c.resource_id == row.id).values(sha256="another")
            )
        )
        assert [one.id for one in await core.catalog.read(media_info.to_probe, 99)] == [row.id]


async def test_reason_of_a_file_that_can_not_be_read(world: World) -> None:
    async with world.core() as core:
        await run(core, Stage.INGEST)
        row = (
            await rows(core, resources.c.role == Role.ORIGINAL, resources.c.container == "jpeg")
        )[0]
        path = world.archive / row.path
        path.write_bytes(path.read_bytes()[:-100])
        await run(core, Stage.COMPRESS)
        found = await core.catalog.read(media_info.info_of, row.id)
        assert found is not None
        assert found.error == "broken_container"
        assert found.width is None


async def test_captions_are_written_where_wanted(world: World) -> None:
    world.compress = CompressConfig(
        gentle=False, videos=False, min_saving=0.0, captions=True, photo_quality=93
    )
    async with world.core() as core:
        await run(core, Stage.INGEST)
        await core.catalog.write(
            lambda c: c.execute(
                update(assets).values(
                    title="Ein Titel", keywords=json.dumps(["eins", "zwei"]), favorite=True
                )
            )
        )
        await run(core, Stage.COMPRESS)
        made = await rows(
            core, resources.c.role == Role.COMPRESSED, resources.c.container == "jpeg"
        )
        assert made
        for row in made:
            raw = (world.archive / row.path).read_bytes()
            for text in ("Ein Titel", "eins", "zwei", 'Rating="5"'):
                assert text.encode() in raw
        originals = await rows(core, resources.c.role == Role.ORIGINAL)
        assert not any(b"Ein Titel" in (world.archive / row.path).read_bytes() for row in originals)


async def test_reasons_are_recorded(world: World) -> None:
    world.compress = CompressConfig(gentle=False, videos=False)
    async with world.core() as core:
        await run(core, Stage.INGEST, Stage.COMPRESS)
        found = {
            (row.container, row.role): row.compress_reason
            for row in await rows(core, resources.c.compress.is_not(None))
        }
        assert found["heif", Role.ORIGINAL] == "efficient_format"
        assert found["png", Role.ORIGINAL] == "png"
        assert found["tiff", Role.ALTERNATIVE] == "raw"
        assert found["mov", Role.LIVE_VIDEO] == "live_video"
        assert {reason for (_, role), reason in found.items() if role == Role.SIDECAR} == {
            "sidecar"
        }
        assert None not in found.values()
