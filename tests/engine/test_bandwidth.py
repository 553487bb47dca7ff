"""The limit on bytes per second, alone and over real downloads."""

import asyncio
from pathlib import Path
from time import monotonic

import pytest

from custom_components.media_pipeline.engine.bandwidth import Bandwidth
from custom_components.media_pipeline.engine.model import RunOutcome, Stage

from .harness import make_world, run


async def test_several_share_one_limit() -> None:
    bandwidth = Bandwidth(1_000_000)

    async def transfer() -> None:
        for _ in range(10):
            await bandwidth.take(20_000)

    began = monotonic()
    await asyncio.gather(*(transfer() for _ in range(4)))
    assert 0.5 < monotonic() - began < 1.2  # 800,000 bytes, a quarter of a second of them at once


async def test_without_a_limit_nobody_waits() -> None:
    began = monotonic()
    for _ in range(1000):
        await Bandwidth(None).take(1 << 30)
    assert monotonic() - began < 0.5


async def test_downloads_stay_below_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with make_world(
        tmp_path, monkeypatch, assets=8, kinds="jpeg", real=0, photo_bytes=250_000
    ) as world:
        world.download_limit = 1_000_000
        async with world.core() as core:
            began = monotonic()
            summary = await run(core, Stage.INGEST)
            took = monotonic() - began
        assert summary.outcome is RunOutcome.COMPLETED
        size = summary.counts["ingest_bytes"]
        assert size > 1_500_000
        assert size / took < 1_200_000
