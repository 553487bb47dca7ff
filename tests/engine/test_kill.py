"""kill -9 in every stage: the next run goes on, with nothing lost and nothing done twice."""

import asyncio
import os
import pickle
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.catalog.plans import unknown_items
from custom_components.media_pipeline.engine.config import CompressConfig
from custom_components.media_pipeline.engine.model import PlanState, RunOutcome, Stage
from custom_components.media_pipeline.engine.stages import ingest

from .harness import World, hashes, make_world, media_files, run, stats

ASSETS = 30
# what shows that a stage is in the middle of its work
MIDDLE = {
    Stage.INGEST: "select count(*) >= 5 from resources where state = 'archived'",
    Stage.COMPRESS: "select count(*) >= 1 from resources where role = 'compressed'",
    Stage.SYNC: "select count(*) >= 5 from copies where state = 'sent'",
    Stage.VERIFY: "select count(*) >= 1 from copies where state = 'verified'",
}
BEFORE = {
    Stage.INGEST: (),
    Stage.COMPRESS: (Stage.INGEST,),
    Stage.SYNC: (Stage.INGEST,),
    Stage.VERIFY: (Stage.INGEST, Stage.SYNC),
}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch, assets=ASSETS) as made:
        made.downloads = 3
        made.compress = CompressConfig(gentle=False, videos=False)
        yield made


def _holds(catalog: Path, question: str) -> bool:
    with closing(sqlite3.connect(f"file:{catalog}?mode=ro", uri=True, timeout=10)) as database:
        return bool(database.execute(question).fetchone()[0])


async def _killed_run(world: World, what: str, in_the_middle: Callable[[], bool]) -> None:
    config = world.root / "config.pickle"
    config.write_bytes(pickle.dumps(world.config()))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.engine.runner",
        str(config),
        what,
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"open\n"
    try:
        async with asyncio.timeout(60):
            while not in_the_middle():
                assert process.returncode is None, "it ended before it could be killed"
                await asyncio.sleep(0.005)
    finally:
        with suppress(ProcessLookupError):  # it ended before it could be killed: told above
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


@pytest.mark.parametrize("stage", list(MIDDLE))
async def test_kill_and_go_on(world: World, stage: Stage) -> None:
    async with world.core() as core:
        if BEFORE[stage]:
            await run(core, *BEFORE[stage])
    if stage is Stage.INGEST:  # slow enough to be caught in the middle, also with half a file
        world.stand_in.fault("content", latency_ms=30)
    catalog = world.root / "private/catalog.db"
    await _killed_run(world, stage, lambda: _holds(catalog, MIDDLE[stage]))
    world.stand_in.control("clear_faults")

    async with world.core() as core:
        summary = await run(core)
        assert summary.outcome is RunOutcome.COMPLETED, summary
        numbers = await stats(core)
        assert numbers.archived == numbers.protected == ASSETS
    files = sum(len(asset["roles"]) for asset in world.stand_in.assets())
    archived = {k: v for k, v in hashes(world.archive).items() if "compressed" not in k}
    assert len(archived) == files
    assert hashes(world.target) == archived
    assert not [p for p in media_files(world.archive) if "~" in p.name]
    assert not list((world.archive / ".media_pipeline/parts").iterdir())
    # nothing was fetched twice but what was under way when the process was killed: for each
    # download there are several files in work
    most = files + ingest._UNDER_WAY * world.downloads
    assert files <= world.stand_in.counts()["content"] <= most
    with closing(sqlite3.connect(world.root / "private/catalog.db")) as database:
        twice = database.execute(
            "select count(*) from (select 1 from resources where current and role != 'compressed'"
            " group by asset_id, role having count(*) > 1)"
        ).fetchone()
        outcomes = {row[0] for row in database.execute("select outcome from runs")}
    assert twice == (0,)
    assert "interrupted" in outcomes


async def test_kill_while_the_source_deletes(world: World) -> None:
    async with world.core() as core:
        await run(core)
        plan, _ = await core.plans.plan(None, "test")
        await core.plans.approve(plan.plan_id, "test")
        assert plan.assets > core.config.safety.canary
    # the canary goes through; the next batch is on its way when the process dies
    world.stand_in.fault("modify", latency_ms=700, skip=1)
    before = world.stand_in.counts().get("modify", 0)
    await _killed_run(
        world,
        f"plan:{plan.plan_id}",
        lambda: world.stand_in.counts().get("modify", 0) >= before + 2,
    )
    await asyncio.sleep(1.5)  # what was sent may still be done over there
    world.stand_in.control("clear_faults")
    freed = world.trashed()
    assert len(freed) >= 1
    async with world.core() as core:
        async with asyncio.timeout(20):
            while (await core.catalog.read(unknown_items)) != []:
                await asyncio.sleep(0.1)
        shown = (await core.board.refresh()).plan
        assert shown is not None
        assert (shown.state, shown.stop_reason) == (PlanState.STOPPED, "interrupted")
        assert shown.freed_assets == len(freed)
        undone = await core.plans.undo(plan.plan_id, "test")
        assert undone.state is PlanState.UNDONE
        assert world.trashed() == set()
