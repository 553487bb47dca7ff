"""Runs from start to end: one at a time, paused, resumed, cancelled, shown while they go on."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .catalog import store
from .errors import HeldBack, NoActiveRun, PipelineError, RunActive
from .model import RunSummary, Stage
from .pipeline import Run
from .stages.base import StageRunner
from .status_board import SOURCE

if TYPE_CHECKING:
    from .core import Core

_LOGGER = logging.getLogger(__name__)
_TICK = 1.0
_PAUSED = "paused"
# The numbers over the whole catalog may cost at most this share of the time.
_STATS_SHARE = 0.1


class RunDesk:
    """See ``engine.Engine`` for what each call means."""

    def __init__(self, core: Core) -> None:
        """Works on the core's loop."""
        self._core = core
        self._run: Run | None = None
        self._task: asyncio.Task[RunSummary] | None = None
        self._ended: dict[str, RunSummary] = {}
        self._busy = False

    @property
    def active(self) -> Run | None:
        """The run that goes on; None when nothing does."""
        return self._run

    async def interrupt(self) -> None:
        """End a run because the engine ends; the next one goes on."""
        if self._run is not None:
            self._run.interrupted = not self._run.stopping
            await self._stop(self._run)

    async def start(
        self,
        stages: tuple[Stage, ...],
        actor: str | None,
        seconds: float | None = None,
        *,
        prove_all: bool = False,
    ) -> str:
        """Start a run; RunActive when something else goes on, HeldBack when Apple wants no request.

        A person is told so at once, and so is who asked for nothing but ingest. A run that an
        automation started does what needs no iCloud, and notes the problem.
        """
        if Stage.INGEST in stages and (actor is not None or set(stages) == {Stage.INGEST}):
            self.refuse_held_back()
        run = self.new(tuple(stage for stage in stages if stage is not Stage.CLEANUP), actor)
        run.seconds = seconds or self._core.config.run_seconds
        run.context.prove_all = prove_all
        self.launch(run)
        return run.run_id

    def refuse_held_back(self) -> None:
        """Raise HeldBack while Apple wants no request."""
        until = self._core.account.throttled_until
        if until is not None:
            raise HeldBack(until=until)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """For work that is no run but must not meet one. Raises RunActive."""
        if self._run is not None or self._busy:
            raise RunActive
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    def new(
        self, stages: tuple[Stage, ...], actor: str | None, extra: StageRunner | None = None
    ) -> Run:
        """A run that is not started yet. Raises RunActive when something else goes on."""
        if self._run is not None or self._busy:
            raise RunActive
        return Run(self._core.context(), stages, actor, extra)

    def launch(self, run: Run) -> asyncio.Task[RunSummary]:
        """Start a run."""
        self._run = run
        # begun at once: a task that is cancelled before its first step never writes down its end
        self._task = asyncio.create_task(self._execute(run), eager_start=True)
        self._core.spawn(self._pump(run))
        return self._task

    async def _execute(self, run: Run) -> RunSummary:
        try:
            summary = await run.execute()
            self._ended = {run.run_id: summary}
            return summary
        finally:
            self._run = None
            self._core.media.pace.lift(_PAUSED)
            board = self._core.board
            board.take_problems(run)
            if not run.interrupted:
                if Stage.INGEST in run.stages and SOURCE not in board.problems:
                    await self._core.account.ask_usage()
                await board.refresh()

    async def _pump(self, run: Run) -> None:
        """Publish a snapshot every second while a run goes on."""
        loop = asyncio.get_running_loop()
        next_stats = 0.0
        while self._run is run:
            began = loop.time()
            if began >= next_stats:
                try:
                    await self._core.board.refresh()
                except PipelineError as err:  # the run itself says so; the next look may work
                    _LOGGER.warning("no numbers: %s (%s)", err.key, err.detail)
                next_stats = loop.time() + (loop.time() - began) / _STATS_SHARE
            else:
                self._core.board.publish()
            await asyncio.sleep(_TICK)

    async def wait(self, run_id: str) -> RunSummary:
        """The summary of that run, once it ended."""
        if self._run is not None and self._run.run_id == run_id and self._task is not None:
            return await asyncio.shield(self._task)
        if run_id in self._ended:
            return self._ended[run_id]
        raise NoActiveRun

    def _active(self) -> Run:
        if self._run is None:
            raise NoActiveRun
        return self._run

    async def pause(self, actor: str | None) -> None:
        """Hold the run at its next checkpoints."""
        run = self._active()
        run.context.control.pause()
        self._core.media.pace.put(_PAUSED)
        await self._core.catalog.write(
            store.write_journal, "run_paused", actor=actor, subject=run.run_id
        )
        self._core.board.publish()

    async def resume(self, actor: str | None) -> None:
        """Let the run go on."""
        run = self._active()
        run.context.control.resume()
        self._core.media.pace.lift(_PAUSED)
        await self._core.catalog.write(
            store.write_journal, "run_resumed", actor=actor, subject=run.run_id
        )
        self._core.board.publish()

    async def cancel(self, actor: str | None) -> None:
        """End the run; returns when it has ended."""
        run = self._active()
        await self._core.catalog.write(
            store.write_journal, "run_cancel", actor=actor, subject=run.run_id
        )
        await self._stop(run)

    async def _stop(self, run: Run) -> None:
        """Cancel once: a second blow would hit the run while it writes down its end."""
        task = self._task
        if self._run is not run or task is None:
            return
        if not run.stopping:
            run.stopping = True
            task.cancel()
        await asyncio.wait([task])
