"""Each target gets smaller photos in the format that it wants, older ones too after a change."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from custom_components.media_pipeline.engine.catalog import photo_formats, results, schema
from custom_components.media_pipeline.engine.catalog.schema import resources
from custom_components.media_pipeline.engine.config import CompressConfig, FolderTargetConfig
from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.media.container import check_container
from custom_components.media_pipeline.engine.media.jobs import PhotoFormat
from custom_components.media_pipeline.engine.model import Content, Role, RunOutcome, Stage

from .harness import World, hashes, make_world, media_files, run, stats

FLOW = (Stage.INGEST, Stage.COMPRESS, Stage.SYNC)
SMALLER = CompressConfig(gentle=False, videos=False, min_saving=0.0)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch, assets=10) as made:
        made.compress = SMALLER
        yield made


@asynccontextmanager
async def core_for(
    world: World, wanted: dict[str, PhotoFormat | None], content: Content = Content.COMPRESSED
) -> AsyncIterator[Core]:
    """A core with one target for each name, in a folder of that name."""
    config = world.config()
    first = config.targets[0]
    assert isinstance(first, FolderTargetConfig)
    targets = []
    for name, wish in wanted.items():
        folder = world.target / name
        folder.mkdir(exist_ok=True)
        targets.append(
            replace(first, target_id=name, path=folder, content=content, photo_format=wish)
        )
    core = Core(replace(config, targets=tuple(targets)), lambda _: None, world.events.append)
    try:
        await core.open()
        await world.sign_in(core)
        yield core
    finally:
        await core.close()


async def rows(core: Core, *where: Any) -> list[Any]:
    def read(connection: Connection) -> list[Any]:
        return list(connection.execute(select(resources).where(resources.c.current, *where)))

    return await core.catalog.read(read)


async def jpegs(core: Core) -> list[Any]:
    """Photos that can become smaller."""
    kept = resources.c.compress.is_not(None)
    return await rows(core, resources.c.container == "jpeg", kept)


def kinds(folder: Path) -> list[str]:
    """The content of every file of a target that is a smaller version."""
    return sorted(check_container(path) for path in media_files(folder / "compressed"))


def originals(folder: Path) -> set[str]:
    """The SHA-256 of every file of a target that is no smaller version."""
    return {sha for path, sha in hashes(folder).items() if not path.startswith("compressed/")}


async def test_each_target_gets_its_own_format(world: World) -> None:
    wanted = {"plain": None, "avif": PhotoFormat.AVIF, "webp": PhotoFormat.WEBP}
    async with core_for(world, wanted) as core:
        assert (await run(core, *FLOW)).outcome is RunOutcome.COMPLETED
        made = [row for row in await jpegs(core) if row.compress == "done"]
        assert made
        assert kinds(world.target / "plain") == ["jpeg"] * len(made)
        # every photo is counted once, in however many formats it lies there
        assert (await stats(core)).compressed == len(made)
        for name in ("avif", "webp"):
            files = kinds(world.target / name)
            assert files
            assert set(files) == {name}
            # photos that could not be had in that format came as they are, the others did not
            smaller = await rows(core, resources.c.format == name)
            assert len(smaller) == len(files)
            sources = {row.derived_from for row in smaller}
            whole = {row.sha256 for row in await jpegs(core) if row.id not in sources}
            assert whole <= originals(world.target / name)
            assert not {row.sha256 for row in await jpegs(core) if row.id in sources} & originals(
                world.target / name
            )
        # what is no JPEG reaches all targets alike
        others = await rows(
            core, resources.c.role == Role.ORIGINAL, resources.c.container != "jpeg"
        )
        assert others
        for name in wanted:
            assert {row.sha256 for row in others} <= originals(world.target / name)
        before = {name: hashes(world.target / name) for name in wanted}
        await run(core, *FLOW)
        assert {name: hashes(world.target / name) for name in wanted} == before


async def test_a_changed_format_is_made_of_old_photos_too(world: World) -> None:
    async with core_for(world, {"nas": None}) as core:
        await run(core, *FLOW)
        assert set(kinds(world.target / "nas")) == {"jpeg"}
        before = hashes(world.target / "nas")
    async with core_for(world, {"nas": PhotoFormat.WEBP}) as core:
        assert (await core.board.refresh()).targets["nas"].missing >= 0
        await run(core, Stage.COMPRESS, Stage.SYNC)
        now = hashes(world.target / "nas")
        assert before.items() <= now.items()  # nothing is taken away
        assert len(await rows(core, resources.c.format == "webp")) == kinds(
            world.target / "nas"
        ).count("webp")
        assert "webp" in kinds(world.target / "nas")
    async with core_for(world, {"nas": None}) as core:
        await run(core, Stage.COMPRESS, Stage.SYNC)
        assert hashes(world.target / "nas") == now  # it has them in that format already


async def test_a_changed_format_of_the_entry_is_made_of_old_photos_too(world: World) -> None:
    async with core_for(world, {"nas": None}) as core:
        await run(core, *FLOW)
        made = {row.derived_from for row in await rows(core, resources.c.role == Role.COMPRESSED)}
        assert made
    world.compress = replace(SMALLER, photo_format=PhotoFormat.WEBP)
    async with core_for(world, {"nas": None}) as core:
        await run(core, Stage.COMPRESS, Stage.SYNC)
        now = await rows(core, resources.c.role == Role.COMPRESSED)
        assert {row.container for row in now} == {"webp"}
        assert {row.derived_from for row in now} <= made
        assert "webp" in kinds(world.target / "nas")
    async with core_for(world, {"nas": None}) as core:
        again = await rows(core, resources.c.role == Role.COMPRESSED)
        assert {row.id for row in again} == {row.id for row in now}
        assert not [row for row in await jpegs(core) if row.compress == "pending"]


async def test_without_compressing_a_target_with_a_format_gets_originals(world: World) -> None:
    world.compress = replace(SMALLER, photos=False)
    async with core_for(world, {"nas": PhotoFormat.AVIF}) as core:
        await run(core, *FLOW)
        assert {row.sha256 for row in await jpegs(core)} <= originals(world.target / "nas")


async def test_a_version_that_lost_its_bytes_is_made_anew(world: World) -> None:
    async with core_for(world, {"nas": PhotoFormat.WEBP}) as core:
        await run(core, *FLOW)
        lost = (await rows(core, resources.c.format == "webp"))[0]
        (world.archive / lost.path).write_bytes(b"x")
        await core.catalog.write(results.archive_damaged, lost.id, "checksum_mismatch")
        await run(core, Stage.COMPRESS)
        again = await rows(
            core, resources.c.format == "webp", resources.c.derived_from == lost.derived_from
        )
        assert [row.id for row in again] != [lost.id]
        assert len(again) == 1
        assert check_container(world.archive / again[0].path) == "webp"


async def test_one_that_can_not_be_read_is_put_aside_and_tried_again(world: World) -> None:
    async with core_for(world, {"nas": PhotoFormat.WEBP}) as core:
        await run(core, Stage.INGEST)
        photo = (await jpegs(core))[0]
        path = world.archive / photo.path
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        await run(core, Stage.COMPRESS)

        def state(connection: Connection) -> str | None:
            table = schema.photo_formats
            query = select(table.c.state).where(table.c.resource_id == photo.id)
            return connection.execute(query).scalar()

        assert await core.catalog.read(state) in {"quarantined", "pending"}
        assert not await rows(core, resources.c.derived_from == photo.id)
        path.write_bytes(whole)
        await core.retry_quarantined("test")

        def now(connection: Connection) -> None:
            connection.execute(update(schema.photo_formats).values(next_attempt=0))

        await core.catalog.write(now)
        await run(core, Stage.COMPRESS)
        assert await core.catalog.read(state) in {"done", "left_alone"}


async def test_share_copies_outlive_the_making_of_smaller_versions(world: World) -> None:
    async with core_for(world, {"nas": None}, Content.SHARE) as core:
        await run(core, *FLOW)
        shared = await rows(core, resources.c.role == Role.SHARE)

        def again(connection: Connection) -> None:
            connection.execute(update(resources).values(compress="pending", attempts=0))

        await core.catalog.write(again)
        await run(core, Stage.COMPRESS)
        now = await rows(core, resources.c.role == Role.SHARE)
        assert {row.id for row in now} == {row.id for row in shared}


async def test_own_formats_are_those_that_differ(world: World) -> None:
    wanted = {"a": None, "b": PhotoFormat.JPEG, "c": PhotoFormat.HEIC}
    async with core_for(world, wanted) as core:
        assert photo_formats.own_formats(core.config) == {"c": PhotoFormat.HEIC}
