"""An asset is gone only when its source says so twice."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.model import RunOutcome, Stage

from .harness import make_world, run, stats


@pytest.mark.parametrize(("times", "gone"), [(1, 0), (99, 3)])
async def test_one_wrong_word_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int, gone: int
) -> None:
    with make_world(tmp_path, monkeypatch, assets=3, real=0) as world:
        async with world.core() as core:
            world.stand_in.fault("content", status=410, times=3 * times)
            # however these are asked about, in one question or in three
            world.stand_in.fault("lookup", record_error="NOT_FOUND", records=3, times=times)
            summary = await run(core, Stage.INGEST)
            assert summary.outcome is RunOutcome.COMPLETED, summary
            with closing(sqlite3.connect(world.root / "private/catalog.db")) as database:
                rows = database.execute("select count(*) from assets where state = 'gone'")
                assert rows.fetchone() == (gone,)
            assert (await stats(core)).archived == 3 - gone
