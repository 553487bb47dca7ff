"""A run: the chosen stages side by side, with progress, pause and cancel."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final
from uuid import uuid4

from .catalog import store
from .clock import now_ms
from .errors import PipelineError
from .model import (
    OUT_OF_TIME,
    EngineEvent,
    RunOutcome,
    RunProgress,
    RunStatus,
    RunSummary,
    Stage,
    StageProgress,
)
from .stages import compress, ingest, sync, verify
from .stages.base import StageContext, StageRunner

_LOGGER = logging.getLogger(__name__)
_LOOK = 2.0
_REST = 9.0

_RUNNERS: Final[dict[Stage, Callable[[], StageRunner]]] = {
    Stage.INGEST: ingest.Ingest,
    Stage.COMPRESS: compress.Compress,
    Stage.SYNC: sync.Sync,
    Stage.VERIFY: verify.Verify,
}
_WAITING: Final[dict[Stage, Callable[[StageContext], Awaitable[None]]]] = {
    Stage.INGEST: ingest.waiting,
    Stage.COMPRESS: compress.waiting,
    Stage.SYNC: sync.waiting,
    Stage.VERIFY: verify.waiting,
}
_OUTCOME_EVENT: Final = {
    RunOutcome.COMPLETED: "run_completed",
    RunOutcome.COMPLETED_WITH_PROBLEMS: "run_completed_with_problems",
    RunOutcome.CANCELLED: "run_cancelled",
    RunOutcome.FAILED: "run_failed",
}


@dataclass(slots=True)
class Run:
    """One execution of some stages. ``extra`` runs beside them (a cleanup)."""

    context: StageContext
    stages: tuple[Stage, ...]
    actor: str | None = None
    extra: StageRunner | None = None
    run_id: str = field(default_factory=lambda: uuid4().hex[:12])
    started: int = field(default_factory=now_ms)
    stopping: bool = False
    interrupted: bool = False
    """True when the engine, not a person, ended the run."""
    seconds: float | None = None
    """How long it may take; what is under way then is left to the next run."""
    out_of_time: bool = False

    async def execute(self) -> RunSummary:
        """Run to the end. Never raises but CancelledError; the outcome says what happened."""
        context = self.context
        stages = [*self.stages, *([self.extra.stage] if self.extra else [])]
        outcome, error = RunOutcome.COMPLETED, None
        try:
            await context.catalog.write(store.start_run, self.run_id, stages, self.actor)
            if self.extra is None:  # a cleanup has events of its own
                context.report(EngineEvent("run_started", {"run_id": self.run_id}))
            await self._in_time()
        except asyncio.CancelledError:
            outcome = RunOutcome.INTERRUPTED if self.interrupted else RunOutcome.CANCELLED
            if task := asyncio.current_task():
                task.uncancel()
        except Exception as err:  # whatever it is, the run must end in the catalog
            outcome = RunOutcome.FAILED
            named = _first(err)
            if named is None:
                # a defect of ours must end in the run's record and the log, not in a silent task
                _LOGGER.exception("run %s failed", self.run_id)
                error = "unknown"
            else:
                error = named.key
                context.problem("run", named)
        failed = sum(part.failed for part in context.progress.stages().values())
        if outcome is RunOutcome.COMPLETED and (context.problems or failed):
            outcome = RunOutcome.COMPLETED_WITH_PROBLEMS
        return await self._end(outcome, error)

    async def _end(self, outcome: RunOutcome, error: str | None) -> RunSummary:
        counts: dict[str, int] = {}
        for stage, part in self.context.progress.stages().items():
            counts |= {f"{stage}_done": part.done, f"{stage}_bytes": part.bytes_done}
            counts[f"{stage}_failed"] = part.failed
        if self.out_of_time:
            counts[OUT_OF_TIME] = 1
        stages = (*self.stages, self.extra.stage) if self.extra else self.stages
        summary = RunSummary(
            run_id=self.run_id,
            started=self.started,
            ended=now_ms(),
            outcome=outcome,
            stages=stages,
            counts=counts,
            error=error or next((e.key for e in self.context.problems.values()), None),
        )
        try:
            await self.context.catalog.write(store.end_run, summary, self.actor)
        except PipelineError as err:  # a full disk: the next start marks the run as interrupted
            _LOGGER.warning("the end of run %s is not written down: %s", self.run_id, err.key)
        if self.extra is None and (event := _OUTCOME_EVENT.get(outcome)):
            self.context.report(
                EngineEvent(event, {"run_id": self.run_id, "error": summary.error, **counts})
            )
        return summary

    async def _in_time(self) -> None:
        """All stages, or as much of them as there is time for: the catalog knows what is left."""
        try:
            async with asyncio.timeout(self.seconds) as limit:
                await self._stages()
        except TimeoutError:
            if not limit.expired():
                raise
            self.out_of_time = True

    async def _stages(self) -> None:
        context = self.context
        await asyncio.to_thread(context.archive.check)
        context.running.update(self.stages)
        watcher = asyncio.create_task(self._watch())
        try:
            async with asyncio.TaskGroup() as group:
                for stage in self.stages:
                    group.create_task(self._stage(stage))
                if self.extra is not None:
                    group.create_task(self.extra.run(context))
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)
            await context.targets.close()

    async def _stage(self, stage: Stage) -> None:
        try:
            await _RUNNERS[stage]().run(self.context)
            await _WAITING[stage](self.context)
        finally:
            self.context.running.discard(stage)
            self.context.control.announce()

    async def _watch(self) -> None:
        """Ask the catalog now and then how much is left."""
        while True:
            began = monotonic()
            for stage in self.stages:
                await _WAITING[stage](self.context)
            # in a big library these questions take a while; they must not keep the catalog busy
            await asyncio.sleep(max(_LOOK, _REST * (monotonic() - began)))

    def progress(self) -> RunProgress:
        """The run as it stands."""
        parts = self.context.progress.stages()
        rate = self.context.progress.rate()
        percent, left = _overall(parts.values())
        return RunProgress(
            run_id=self.run_id,
            status=self._status(parts),
            started=self.started,
            stages=parts,
            percent=percent,
            rate=rate,
            eta_seconds=self._eta(percent) if left else 0.0,
            resting=self.context.media.pace.resting,
        )

    def _status(self, parts: dict[Stage, StageProgress]) -> RunStatus:
        if self.stopping:
            return RunStatus.STOPPING
        if self.context.control.paused:
            return RunStatus.PAUSED
        for stage in Stage:  # the earliest stage that still has something to do
            if stage in self.context.running:
                part = parts.get(stage)
                if stage is Stage.INGEST or (part and part.total > part.done + part.failed):
                    return RunStatus(stage)
        if self.extra is not None:
            return RunStatus(self.extra.stage)
        running = [stage for stage in Stage if stage in self.context.running]
        return RunStatus(running[-1]) if running else RunStatus.STARTING

    def _eta(self, percent: float) -> float | None:
        if percent < 1.0:
            return None
        spent = (now_ms() - self.started) / 1000
        return spent * (100.0 - percent) / percent


def _overall(parts: Iterable[StageProgress]) -> tuple[float, int]:
    """(percent, items left) over all stages; bytes weigh where they are known."""
    done = total = left = 0.0
    for part in parts:
        weight = part.bytes_total or part.total
        have = part.bytes_done if part.bytes_total else part.done
        done, total = done + have, total + weight
        left += max(0, part.total - part.done)
    return (min(100.0, 100.0 * done / total) if total else 0.0), int(left)


def _first(err: BaseException) -> PipelineError | None:
    """The first error of ours in a (nested) group; None when there is none."""
    if isinstance(err, PipelineError):
        return err
    if isinstance(err, BaseExceptionGroup):
        return next((found for part in err.exceptions if (found := _first(part))), None)
    return None
