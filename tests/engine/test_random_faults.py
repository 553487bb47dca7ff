"""Whatever goes wrong with the bytes, in whatever order: nothing wrong is ever in the archive.

That is so for every checksum that can be recomputed. Behind an unknown one a changed byte in the
middle of a picture can't be told: see test_integrity.py for how such files are marked.
"""

import random
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.catalog import failures
from custom_components.media_pipeline.engine.model import RunOutcome, Stage
from custom_components.media_pipeline.engine.stages import download
from tests.icloud_server.chaos import OWN

from .harness import make_world, run
from .truth import missing_files, wrong_files

ROUNDS = 4


@pytest.mark.parametrize("seed", range(3))
async def test_every_file_equals_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(failures, "BACK_OFF", (0, 0, 0, 0, 0))
    monkeypatch.setattr(download, "_PAUSE", 0.02)
    dice = random.Random(seed)
    with make_world(
        tmp_path, monkeypatch, assets=16, real=0, photo_bytes=9_000, video_bytes=9_000
    ) as world:
        async with world.core() as core:
            for _ in range(ROUNDS):
                world.stand_in.control("add", count=3, kind=dice.choice(["live_jpeg", "edited"]))
                faults = dice.sample(sorted(OWN["content"]), 4)
                for name in faults:
                    world.stand_in.fault("content", probability=0.2, **OWN["content"][name])
                await run(core, Stage.INGEST)
                assert wrong_files(world.stand_in, world.archive) == 0, faults
                world.stand_in.control("clear_faults")
            await core.retry_quarantined("test")
            summary = await run(core, Stage.INGEST)
            assert summary.outcome is RunOutcome.COMPLETED, summary
            assert wrong_files(world.stand_in, world.archive) == 0
            assert missing_files(world.stand_in, world.archive) == 0
