"""Cleanups while a share of all answers is wrong: what is freed, and what the books say of it."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field

from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.errors import PipelineError
from custom_components.media_pipeline.engine.model import PlanState, Stage

from .harness import World, run
from .soak import RUNS_PER_START, Soak


@dataclass(slots=True)
class CleanupReport:
    """What happened."""

    plans: int = 0
    stops: list[str] = field(default_factory=list)
    undos: int = 0
    freed: int = 0
    not_planned: set[str] = field(default_factory=set)
    """Freed although no plan named them."""
    only_in_books: set[str] = field(default_factory=set)
    only_at_apple: set[str] = field(default_factory=set)
    wrong_states: set[str] = field(default_factory=set)
    """Assets that the catalog takes for present or trashed, and which are not."""
    left_after_undo: int = 0
    answers: dict[str, int] = field(default_factory=dict)
    struck: dict[str, int] = field(default_factory=dict)


def _names(world: World, question: str) -> set[str]:
    with closing(sqlite3.connect(world.root / "private/catalog.db")) as database:
        rows = database.execute(f"select key from assets where {question}").fetchall()  # noqa: S608
    return {row[0].partition("/")[2] for row in rows}


def _items(state: str) -> str:
    return f"id in (select asset_id from plan_items where state {state})"  # noqa: S608


async def soak_cleanup(
    world: World, *, rate: float, seed: int, kept: int, most_plans: int = 60
) -> CleanupReport:
    """Free all but ``kept`` favourites in as many plans as it takes, then undo everything."""
    soak, report = Soak(world), CleanupReport()
    world.with_safety(max_assets_per_plan=1000)
    with soak.hurried():
        world.stand_in.control("favorite", index=list(range(kept)))
        async with world.core() as core:
            await run(core)
        world.stand_in.control("chaos", rate=rate, seed=seed, retry_after=1)
        wanted = len(world.stand_in.assets()) - kept
        while len(world.trashed()) < wanted and report.plans < most_plans:
            async with soak.started() as core:
                for _ in range(RUNS_PER_START):
                    await _one_plan(soak, core, report)
        await _settled(soak, report)
        report.freed = len(world.trashed())
        _compare(world, report)
        world.stand_in.control("chaos", rate=rate, seed=seed + 1, retry_after=1)
        while (world.trashed() or _names(world, _items("= 'freed'"))) and report.undos < most_plans:
            async with soak.started() as core:
                for _ in range(RUNS_PER_START):
                    await _undo_all(soak, core, report)
        await _settled(soak, report)
        report.left_after_undo = len(world.trashed())
        _compare(world, report)
    return report


async def _one_plan(soak: Soak, core: Core, report: CleanupReport) -> None:
    await soak.one_run(core, Stage.INGEST)
    plan, _ = await core.plans.plan(None, "soak")
    if plan.assets == 0:
        return
    report.plans += 1
    await core.plans.approve(plan.plan_id, "soak")
    soak.an_hour_passes()
    try:
        await core.plans.execute(plan.plan_id, False, "soak")
    except PipelineError as err:
        report.stops.append(err.placeholders.get("reason", err.key))
    report.not_planned |= soak.world.trashed() - _names(soak.world, _items("> ''"))


async def _undo_all(soak: Soak, core: Core, report: CleanupReport) -> None:
    await soak.one_run(core, Stage.INGEST)
    with closing(sqlite3.connect(soak.world.root / "private/catalog.db")) as database:
        plans = database.execute(
            "select id from plans where state in (?, ?)", (PlanState.EXECUTED, PlanState.STOPPED)
        ).fetchall()
    for (plan_id,) in plans:
        report.undos += 1
        soak.an_hour_passes()
        try:
            await core.plans.undo(plan_id, "soak")
        except PipelineError as err:
            report.stops.append(f"undo: {err.placeholders.get('reason', err.key)}")


async def _settled(soak: Soak, report: CleanupReport) -> None:
    """No more faults; one run that looks up what nobody knows."""
    said = soak.world.stand_in.control("chaos", rate=0)
    for mine, theirs in ((report.answers, said["answers"]), (report.struck, said["struck"])):
        for name, count in theirs.items():
            mine[name] = mine.get(name, 0) + count
    async with soak.started() as core:
        await soak.one_run(core, Stage.INGEST)


def _compare(world: World, report: CleanupReport) -> None:
    trashed = world.trashed()
    books = _names(world, _items("= 'freed'"))
    report.only_in_books |= books - trashed
    report.only_at_apple |= trashed - books
    report.wrong_states |= _names(world, "state = 'trashed'") ^ trashed
    report.wrong_states |= _names(world, "state = 'gone'") | _names(world, _items("= 'unknown'"))
