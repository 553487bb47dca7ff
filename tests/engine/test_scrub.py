"""Proofs are renewed within the period, spread over its nights, and never longer than allowed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, text

from custom_components.media_pipeline.engine.catalog import scrub
from custom_components.media_pipeline.engine.catalog.database import Catalog
from custom_components.media_pipeline.engine.catalog.schema import (
    assets,
    copies,
    resources,
    targets,
)
from custom_components.media_pipeline.engine.catalog.scrub import Due
from custom_components.media_pipeline.engine.clock import DAY, now_ms
from custom_components.media_pipeline.engine.model import RunOutcome
from custom_components.media_pipeline.engine.stages.verify import batches

from .harness import World, run
from .years import ask, change, small_world, verify

COPIES = 3000
PERIOD = 90


def _fill(connection: Connection) -> None:
    """A library that was proven in one night, on day 0."""
    connection.execute(
        insert(assets).values(
            id=1, key="a", library="l", kind="photo", filename="a", folder="f", stem="a",
            stem_key="a", created=0,
        )
    )  # fmt: skip
    connection.execute(insert(targets).values(id="disk", kind="folder", content="originals"))
    connection.execute(
        insert(resources),
        [
            {"id": i, "asset_id": 1, "role": "edited", "current": False, "filename": "a",
             "size": 10, "version": "1", "sha256": "x"}
            for i in range(COPIES)
        ],
    )  # fmt: skip
    connection.execute(
        insert(copies),
        [
            {"id": i, "resource_id": i, "target_id": "disk", "state": "verified", "path": f"f/{i}",
             "size": 10, "sha256": "x", "proven_at": 0}
            for i in range(COPIES)
        ],
    )  # fmt: skip


async def test_a_library_of_one_night_is_spread_and_nothing_gets_too_old(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog.db")
    await catalog.open()
    await catalog.write(_fill)
    nights: list[int] = []
    for day in range(1, 3 * PERIOD):
        now = day * DAY
        due = Due.within(PERIOD * DAY, now)
        rows = await catalog.read(scrub.to_prove, "disk", due, now, COPIES)
        assert all(now - row.proven_at <= PERIOD * DAY for row in rows), day
        ids = [{"id": row.id, "now": now} for row in rows]
        nights.append(len(ids))
        if ids:

            def prove(connection: Connection, ids: list[dict[str, int]] = ids) -> None:
                connection.execute(text("update copies set proven_at = :now where id = :id"), ids)

            await catalog.write(prove)
        ((oldest,),) = await catalog.read(
            lambda connection: connection.execute(text("select min(proven_at) from copies")).all()
        )
        assert now - oldest <= PERIOD * DAY, day
    assert sum(nights[: PERIOD // 2 - 1]) == 0, "nothing is proven long before its time"
    assert max(nights) < COPIES / 10, "no night proves a tenth of it"
    assert sum(nights[:PERIOD]) >= COPIES
    await catalog.close()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with small_world(tmp_path, monkeypatch) as made:
        yield made


def test_a_batch_is_never_empty_and_never_too_big() -> None:
    @dataclass
    class Row:
        size: int

    rows = [Row(1), Row(5 << 30), Row(1), Row(1 << 29), Row(1 << 29), *[Row(0)] * 100]
    parts = list(batches(rows))
    assert [row for part in parts for row in part] == rows
    assert [len(part) for part in parts] == [1, 1, 2, 64, 37]


async def _age(world: World, core: Any) -> None:
    await change(core, "update copies set proven_at = proven_at - :age", age=200 * DAY)
    await change(core, "update resources set proven_at = proven_at - :age", age=200 * DAY)


async def _old(core: Any) -> tuple[int, int]:
    before = now_ms() - 100 * DAY
    (counts,) = await ask(
        core,
        "select (select count(*) from copies where proven_at < :t),"
        " (select count(*) from resources where proven_at < :t)",
        t=before,
    )
    return counts[0], counts[1]


async def test_old_proofs_are_renewed_also_in_the_archive(world: World) -> None:
    async with world.core() as core:
        await run(core)
        await _age(world, core)
        assert await _old(core) == (24, 24)
        await verify(core, everything=False)
        assert await _old(core) == (0, 0)


async def test_the_time_for_old_proofs_ends_and_the_next_run_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from custom_components.media_pipeline.engine.stages import verify as stage

    monkeypatch.setattr(stage, "_BATCH", 8)
    monkeypatch.setattr(stage, "_ARCHIVE_BATCH", 8)
    async with world.core() as core:
        await run(core)
        await _age(world, core)
        core.config = replace(core.config, scrub_seconds=1e-9)
        left = []
        for _ in range(3):
            await verify(core, everything=False)
            left.append(await _old(core))
        assert left == [(16, 16), (8, 8), (0, 0)], "one batch, then its time is used up"


async def test_new_copies_are_proven_however_little_time_there_is(world: World) -> None:
    async with world.core() as core:
        core.config = replace(core.config, scrub_seconds=1e-9)
        await run(core)
        ((sent,),) = await ask(core, "select count(*) from copies where state <> 'verified'")
        assert sent == 0


async def test_a_file_that_was_replaced_is_not_looked_for(world: World) -> None:
    """A smaller version that was made anew leaves a row without a path."""
    async with world.core() as core:
        await run(core)
        await change(
            core,
            "insert into resources (asset_id, role, current, filename, size, version, state,"
            " sha256, proven_at) values (1, 'compressed', 0, 'a.jpg', 1, 'x', 'archived', 'x', 0)",
        )
        summary = await verify(core)
        assert summary.outcome is RunOutcome.COMPLETED, summary


async def test_everything_means_everything(world: World) -> None:
    async with world.core() as core:
        await run(core)
        core.config = replace(core.config, scrub_seconds=1e-9)
        began = now_ms()
        await verify(core)
        ((oldest,),) = await ask(core, "select min(proven_at) from copies")
        ((oldest_here,),) = await ask(core, "select min(proven_at) from resources")
        assert min(oldest, oldest_here) >= began
