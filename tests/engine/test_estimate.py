"""What compressing will take is known before it starts, and better after some of it was done."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.catalog import measures
from custom_components.media_pipeline.engine.catalog.measures import Measure
from custom_components.media_pipeline.engine.config import CompressConfig
from custom_components.media_pipeline.engine.control import Progress
from custom_components.media_pipeline.engine.model import Stage

from .harness import World, make_world, run


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch, assets=12) as made:
        made.compress = CompressConfig(gentle=False, videos=False)
        yield made


async def test_estimate_before_and_after(world: World) -> None:
    async with world.core() as core:
        await run(core, Stage.INGEST)
        before = await core.estimate()
        assert set(before) == {"photo"}  # videos are switched off
        assert before["photo"].files > 0
        assert not before["photo"].measured
        assert before["photo"].seconds > 0
        await run(core, Stage.COMPRESS)
        after = await core.estimate()
        assert (after["photo"].files, after["photo"].bytes, after["photo"].seconds) == (0, 0, 0.0)
        assert after["photo"].measured


async def test_measured_work_counts_and_old_work_fades(world: World) -> None:
    async with world.core() as core:
        await run(core, Stage.INGEST)
        await core.catalog.write(measures.add, "photo", Measure(10.0, 1_000_000, 250_000))
        found = (await core.catalog.read(measures.estimate))["photo"]
        assert found.measured
        assert found.seconds == pytest.approx(found.bytes / 1e5)
        assert found.saved_bytes == pytest.approx(found.bytes / 4, abs=1)
        huge = Measure(1.0, 3_000_000_000, 0)
        await core.catalog.write(measures.add, "photo", huge)
        for _ in range(8):
            await core.catalog.write(measures.add, "photo", Measure(3e4, 3_000_000_000, 0))
        found = (await core.catalog.read(measures.estimate))["photo"]
        assert found.seconds == pytest.approx(found.bytes / 1e5, rel=0.05)


async def test_pause_rests_the_children_too(world: World) -> None:
    world.stand_in.fault("content", latency_ms=60)
    async with world.core() as core:
        run_id = await core.runs.start((Stage.INGEST, Stage.COMPRESS), "test")
        await core.runs.pause("test")
        pace = core.context().media.pace
        assert pace.hold.reasons == {"paused"}
        await core.runs.resume("test")
        assert not pace.hold.reasons
        await core.runs.pause("test")
        await core.runs.cancel("test")
        await core.runs.wait(run_id)
        await asyncio.sleep(0)
        assert not pace.hold.reasons  # the next run is not held


def test_a_film_under_way_moves_the_stage() -> None:
    progress = Progress()
    progress.waiting(Stage.COMPRESS, 2, 300)
    progress.under_way(Stage.COMPRESS, 7, 100)
    progress.under_way(Stage.COMPRESS, 7, 150)
    part = progress.stages()[Stage.COMPRESS]
    assert (part.done, part.bytes_done, part.bytes_total) == (0, 150, 300)
    progress.done(Stage.COMPRESS, 200, 7)
    progress.waiting(Stage.COMPRESS, 1, 100)
    part = progress.stages()[Stage.COMPRESS]
    assert (part.done, part.bytes_done, part.bytes_total) == (1, 200, 300)
    progress.under_way(Stage.COMPRESS, 8, 50)
    progress.failed(Stage.COMPRESS, 8)
    assert progress.stages()[Stage.COMPRESS].bytes_done == 200
