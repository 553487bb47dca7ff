"""Addresses that grew too old while others were downloaded are renewed by the hundred."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.model import RunOutcome, Stage

from .harness import make_world, run, stats

ASSETS = 150


async def test_few_look_ups_for_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with make_world(
        tmp_path, monkeypatch, assets=ASSETS, real=0, photo_bytes=4000, video_bytes=4000
    ) as world:
        async with world.core() as core:
            world.stand_in.fault("content", status=503, headers={"Retry-After": "400"}, times=50)
            await run(core, Stage.INGEST)
        with closing(sqlite3.connect(world.root / "private/catalog.db")) as database:
            database.execute("update resources set url_expires = 1")
            database.commit()
        world.forget_throttling()
        world.stand_in.control("clear_faults")
        async with world.core() as core:
            world.stand_in.control("reset_counts")
            summary = await run(core, Stage.INGEST)
            assert summary.outcome is RunOutcome.COMPLETED, summary
            assert (await stats(core)).archived == ASSETS
        counts = world.stand_in.counts()
        assert counts["lookup"] <= 8, counts  # assets and masters, by the hundred
        assert counts["content"] == sum(len(a["roles"]) for a in world.stand_in.assets())
