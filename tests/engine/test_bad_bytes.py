"""What arrives broken never becomes archived, and never holds up the rest."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from custom_components.media_pipeline.engine.clock import now_ms
from custom_components.media_pipeline.engine.model import RunOutcome, Stage

from .harness import World, make_world, media_files, run, stats

TRUNCATED = 1_010_000_000
WHOLE = 1_200_000_000


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch, assets=6) as made:
        yield made


def _try_again_now(world: World) -> None:
    with closing(sqlite3.connect(world.root / "private/catalog.db")) as database:
        database.execute("update resources set next_attempt = 0")
        database.commit()


def _errors(world: World) -> set[str]:
    with closing(sqlite3.connect(world.root / "private/catalog.db")) as database:
        return {row[0] for row in database.execute("select error from resources where error > ''")}


@pytest.mark.timeout(240)
async def test_a_video_cut_at_a_gigabyte_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with make_world(tmp_path, monkeypatch, assets=2, huge_bytes=WHOLE) as world:
        # as users report it: a shorter body whose Content-Length says that this is all
        world.stand_in.fault("content", truncate_at=TRUNCATED)
        async with world.core() as core:
            summary = await run(core, Stage.INGEST)
            assert summary.outcome is RunOutcome.COMPLETED_WITH_PROBLEMS
            assert (await stats(core)).archived == 1
            assert _errors(world) == {"length_mismatch"}
            assert max(p.stat().st_size for p in media_files(world.archive)) < TRUNCATED
            plan, reasons = await core.plans.plan(None, "test")
            assert plan.assets == 0
            assert sum(reasons.values()) == 2

            world.stand_in.control("clear_faults")
            _try_again_now(world)
            summary = await run(core, Stage.INGEST)
            assert summary.outcome is RunOutcome.COMPLETED
            assert (await stats(core)).archived == 2
            assert max(p.stat().st_size for p in media_files(world.archive)) == WHOLE


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"flip": 1000}, "checksum_mismatch"),
        ({"json": {"error": "internal"}}, None),
        ({"html": "<html><body>Service Unavailable</body></html>"}, None),
        ({"truncate_at": 5000}, "length_mismatch"),
    ],
)
async def test_wrong_bytes_are_put_aside_and_mended_later(
    world: World, fault: dict[str, Any], error: str | None
) -> None:
    world.stand_in.fault("content", path="IMG|/B/", **fault)
    async with world.core() as core:
        summary = await run(core, Stage.INGEST)
        assert summary.outcome is RunOutcome.COMPLETED_WITH_PROBLEMS
        assert media_files(world.archive) == []
        found = _errors(world)
        assert found
        if error:
            assert error in found
        world.stand_in.control("clear_faults")
        _try_again_now(world)
        summary = await run(core)
        assert summary.outcome is RunOutcome.COMPLETED, summary
        assert (await stats(core)).protected == 6


async def test_a_cut_connection_is_continued_where_it_broke(world: World) -> None:
    world.stand_in.fault("content", cut_after=50_000, times=3)
    async with world.core() as core:
        summary = await run(core, Stage.INGEST)
        assert summary.outcome is RunOutcome.COMPLETED, summary
    counts = world.stand_in.counts()
    total = sum(f["size"] for a in world.stand_in.assets() for f in a["roles"].values())
    assert counts["content_bytes"] < total + 3 * 50_000  # nothing was fetched twice as a whole


async def test_expired_addresses_are_looked_up_together(world: World) -> None:
    async with world.core() as core:
        world.stand_in.fault("content", status=503, headers={"Retry-After": "400"}, times=50)
        summary = await run(core, Stage.INGEST)
        assert summary.error == "throttled"
    world.forget_throttling()
    async with world.core() as core:
        world.stand_in.control("clear_faults")
        world.stand_in.control("expire_urls")
        world.stand_in.control("reset_counts")
        summary = await run(core, Stage.INGEST)
        assert summary.outcome is RunOutcome.COMPLETED, summary
        assert (await stats(core)).archived == 6
        assert world.stand_in.counts()["lookup"] <= 6  # 12, each by itself


async def test_an_asset_that_keeps_failing_is_quarantined_and_the_others_go_on(
    world: World,
) -> None:
    sick = world.stand_in.assets()[0]
    checksum = next(iter(sick["roles"].values()))["checksum"]
    import re
    from urllib.parse import quote

    pattern = "|".join({re.escape(checksum), re.escape(quote(checksum, safe=""))})
    world.stand_in.fault("content", path=pattern, flip=100)
    async with world.core() as core:
        for _ in range(4):
            await run(core, Stage.INGEST)
            with closing(sqlite3.connect(world.root / "private/catalog.db")) as database:
                database.execute("update resources set next_attempt = 0 where state = 'pending'")
                database.commit()
        numbers = await stats(core)
        assert numbers.archived == 5
        assert numbers.quarantined == 1
        with closing(sqlite3.connect(world.root / "private/catalog.db")) as database:
            rows = database.execute(
                "select error, next_attempt from resources where state = 'quarantined'"
            ).fetchall()
        assert [row[0] for row in rows] == ["checksum_mismatch"]
        assert rows[0][1] > now_ms()
        world.stand_in.control("reset_counts")
        await run(core, Stage.INGEST)
        assert world.stand_in.counts().get("content", 0) == 0
