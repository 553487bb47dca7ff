"""Runs of the whole pipeline against the stand-in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.config import CompressConfig
from custom_components.media_pipeline.engine.model import RunOutcome, Stage

from .harness import World, hashes, make_world, media_files, run, stats


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch, assets=24) as made:
        yield made


async def test_first_run_archives_delivers_and_proves(world: World) -> None:
    world.compress = CompressConfig(gentle=False)
    async with world.core() as core:
        summary = await run(core)
        assert summary.outcome is RunOutcome.COMPLETED, summary
        numbers = await stats(core)
        assert numbers.items == 24 == numbers.archived == numbers.protected
        assert numbers.quarantined == 0
        expected = sum(len(asset["roles"]) for asset in world.stand_in.assets())
        originals = [p for p in media_files(world.archive) if "compressed" not in p.parts]
        assert len(originals) == expected
        assert numbers.compressed > 0
        assert numbers.compressed_saved_bytes > 0
        # the target holds exactly the originals
        archived = {k: v for k, v in hashes(world.archive).items() if "compressed" not in k}
        assert hashes(world.target) == archived
        status = (await core.board.refresh()).targets["disk"]
        assert status.state == "ok"
        assert status.verified == status.copies
        assert not list((world.archive / ".media_pipeline/parts").iterdir())


async def test_later_runs_cost_what_changed(world: World) -> None:
    async with world.core() as core:
        await run(core)
        world.stand_in.control("reset_counts")
        await run(core)
        counts = world.stand_in.counts()
        api = {k: v for k, v in counts.items() if k in API}
        assert sum(api.values()) == 1, counts
        assert counts.get("content", 0) == 0
        world.stand_in.control("add", count=10)
        world.stand_in.control("reset_counts")
        summary = await run(core)
        counts = world.stand_in.counts()
        api = {k: v for k, v in counts.items() if k in API}
        assert sum(api.values()) <= 3, counts
        assert (await stats(core)).archived == 34
        assert summary.counts["ingest_failed"] == 0
        assert Stage.INGEST in summary.stages


API = {
    "query",
    "lookup",
    "changes_database",
    "changes_zone",
    "zones_list",
    "count",
    "modify",
    "indexing_state",
}
