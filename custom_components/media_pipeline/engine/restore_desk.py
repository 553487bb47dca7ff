"""Fetching files back: for good (restore), and for practice (drill). Never beside a run."""

import asyncio
from typing import TYPE_CHECKING

from .errors import PipelineError
from .model import DrillResult, RestoreReport, RestoreRequest
from .stages.base import StageRunner
from .stages.drill import Drill
from .stages.restore import Restore

if TYPE_CHECKING:
    from .core import Core


async def restore(core: Core, request: RestoreRequest, actor: str | None) -> RestoreReport:
    """See ``engine.Engine.restore``."""
    runner = Restore(request)
    await _run(core, runner, actor)
    return runner.report


async def drill(
    core: Core, files: int, seconds: float, actor: str | None
) -> dict[str, DrillResult]:
    """See ``engine.Engine.restore_drill``."""
    runner = Drill(files, seconds, actor)
    await _run(core, runner, actor)
    return runner.results


async def _run(core: Core, runner: StageRunner, actor: str | None) -> None:
    run = core.runs.new((), actor, runner)
    # a caller that stops waiting must not cut it off
    await asyncio.shield(core.runs.launch(run))
    error: PipelineError | None = run.context.problems.get("run")
    if error is not None:
        raise error
