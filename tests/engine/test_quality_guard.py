"""In a run: what looks too little like its original is not kept, and the measure is stored."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from custom_components.media_pipeline.engine.catalog.schema import resources
from custom_components.media_pipeline.engine.config import CompressConfig
from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.media.presets import SETTINGS, Care
from custom_components.media_pipeline.engine.model import Role, Stage

from .harness import World, hashes, make_world, run


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch, assets=10) as made:
        yield made


async def compressible(core: Core) -> list[Any]:
    """JPEG originals as compress left them."""

    def read(connection: Connection) -> list[Any]:
        return list(
            connection.execute(
                select(resources).where(
                    resources.c.current,
                    resources.c.role.in_([Role.ORIGINAL, Role.ALTERNATIVE, Role.EDITED]),
                    resources.c.container == "jpeg",
                )
            )
        )

    return await core.catalog.read(read)


async def test_a_bad_result_is_rejected_and_a_good_one_is_stored_with_its_measure(
    world: World,
) -> None:
    floor = SETTINGS[Care.BALANCED].floor
    world.compress = CompressConfig(gentle=False, videos=False, photo_quality=2, min_saving=0.0)
    async with world.core() as core:
        await run(core, Stage.INGEST, Stage.COMPRESS)
        before = hashes(world.archive)
        rejected = [
            row for row in await compressible(core) if row.compress_reason == "quality_below_floor"
        ]
        assert rejected
        for row in rejected:
            assert row.quality < floor
            assert before[row.path] == row.sha256  # the original is there as it was
        assert not list((world.archive / "compressed").rglob("*.[jJ][pP]*"))
        told = (await core.board.diagnostics())["compress"]
        assert told["reasons"]["quality_below_floor"] == len(rejected)
        assert told["quality"] == {}

        def again(connection: Connection) -> None:
            connection.execute(update(resources).values(compress="pending", attempts=0))

        await core.catalog.write(again)
    world.compress = replace(world.compress, photo_quality=92)
    async with world.core() as core:
        await run(core, Stage.COMPRESS)
        kept = [row for row in await compressible(core) if row.compress_reason == "compressed"]
        assert kept
        assert all(floor <= row.quality <= 1.0 for row in kept)
        told = (await core.board.diagnostics())["compress"]["quality"]["jpeg"]
        assert told["files"] == len(kept)
        assert told["lowest"] == min(row.quality for row in kept)
