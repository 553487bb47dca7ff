"""What the engine's door leads to: one source, its archive, its targets; on the engine's loop.

Everything here runs on one event loop, so plain attributes need no locks.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from .archive import Archive
from .catalog import plans, protection, results, store, work
from .catalog.database import Catalog
from .catalog.protection import Ground
from .config import EngineConfig
from .control import Control, Progress
from .errors import (
    NoActiveRun,
    NotSupportedBySource,
    PipelineError,
    PlanNotFound,
    PlanOutdated,
    PlanWrongState,
    RunActive,
)
from .marker import FolderIdentity
from .media.pool import MediaPool
from .model import (
    EngineEvent,
    PlanState,
    PlanSummary,
    RunOutcome,
    RunStatus,
    RunSummary,
    Snapshot,
    Stage,
    Usage,
)
from .pipeline import Run
from .sources.icloud.session import ICloudSession, SignInState
from .sources.registry import make_source
from .stages.base import StageContext, StageRunner
from .stages.cleanup import Cleanup, undo
from .target_hub import TargetHub

_LOGGER = logging.getLogger(__name__)
_TICK = 1.0
# The numbers over the whole catalog may cost at most this share of the time.
_STATS_SHARE = 0.2


class Core:
    """See ``engine.Engine`` for what each call means."""

    def __init__(
        self,
        config: EngineConfig,
        on_snapshot: Callable[[Snapshot], None],
        on_event: Callable[[EngineEvent], None],
    ) -> None:
        """Built on the engine's loop; nothing is opened yet."""
        self._config = config
        self._on_snapshot = on_snapshot
        self._on_event = on_event
        known = (
            FolderIdentity(config.archive_id, config.archive_device or "")
            if config.archive_id
            else None
        )
        self.catalog = Catalog(config.private_dir / "catalog.db")
        self.archive = Archive(config.archive, known, config.archive_reserve_bytes)
        self.source = make_source(config.source, config.private_dir / "session")
        self.targets = TargetHub(config.targets, self.catalog)
        self._media = MediaPool()
        self.snapshot = Snapshot()
        self._run: Run | None = None
        self._task: asyncio.Task[RunSummary] | None = None
        self._ended: dict[str, RunSummary] = {}
        self._problems: dict[str, PipelineError] = {}
        self._usage: Usage | None = None
        self._busy = False
        self._background: set[asyncio.Task[None]] = set()

    # --- life ---------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open the catalog and check the archive; then look at the source in the background."""
        await self.catalog.open()
        await self.archive.open()
        config = self._config
        await self.catalog.write(
            results.register_targets,
            {t.target_id: (t.kind, t.content) for t in config.targets},
        )
        await self.catalog.write(store.recover_runs)
        await self.catalog.write(plans.recover_plans)
        await self.catalog.write(
            results.switch_compress,
            photos=config.compress.photos,
            videos=config.compress.videos,
        )
        await self.refresh()
        self._spawn(self._look_at_source())

    async def close(self) -> None:
        """Interrupt a run and let go of everything."""
        if self._run is not None and self._task is not None:
            self._run.interrupted = True
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._media.close()
        await self.targets.close()
        await self.source.close()
        await self.catalog.close()

    def _spawn(self, work_to_do: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work_to_do)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _look_at_source(self) -> None:
        try:
            await self.source.open()
            self._usage = await self.source.usage()
            self._problems.pop("source", None)
        except PipelineError as err:
            _LOGGER.info("the source is not ready: %s (%s)", err.key, err.detail)
            self._problems["source"] = err
            if err.key == "code_required":
                self._on_event(EngineEvent("code_required"))
        await self.refresh()

    @property
    def session(self) -> ICloudSession | None:
        """The account's session; None for a folder."""
        return getattr(self.source, "session", None)

    # --- runs ---------------------------------------------------------------------------------

    async def start_run(self, stages: tuple[Stage, ...], actor: str | None) -> str:
        """Start a run; RunActive when something else goes on."""
        run = self._new_run(tuple(stage for stage in stages if stage is not Stage.CLEANUP), actor)
        self._launch(run)
        return run.run_id

    def _new_run(
        self, stages: tuple[Stage, ...], actor: str | None, extra: StageRunner | None = None
    ) -> Run:
        if self._run is not None or self._busy:
            raise RunActive
        return Run(self._context(), stages, actor, extra)

    def _context(self) -> StageContext:
        return StageContext(
            config=self._config,
            catalog=self.catalog,
            archive=self.archive,
            source=self.source,
            targets=self.targets,
            media=self._media,
            control=Control(),
            progress=Progress(),
            report=self._on_event,
        )

    def _launch(self, run: Run) -> asyncio.Task[RunSummary]:
        self._run = run
        self._task = asyncio.create_task(self._execute(run))
        self._spawn(self._pump(run))
        return self._task

    async def _execute(self, run: Run) -> RunSummary:
        try:
            summary = await run.execute()
            self._ended = {run.run_id: summary}
            return summary
        finally:
            self._run = None
            if Stage.INGEST in run.stages:
                self._problems.pop("source", None)
            self._problems.pop("archive", None)
            self._problems.pop("run", None)
            self._problems |= {
                subject: err
                for subject, err in run.context.problems.items()
                if subject not in self.targets.configs
            }
            if not run.interrupted:
                if Stage.INGEST in run.stages and "source" not in self._problems:
                    await self._ask_usage()
                await self.refresh()

    async def _ask_usage(self) -> None:
        try:
            self._usage = await self.source.usage()
        except PipelineError as err:
            _LOGGER.debug("no storage numbers: %s", err.key)

    async def _pump(self, run: Run) -> None:
        """Publish a snapshot every second while a run goes on."""
        loop = asyncio.get_running_loop()
        next_stats = 0.0
        while self._run is run:
            began = loop.time()
            if began >= next_stats:
                await self.refresh()
                next_stats = loop.time() + (loop.time() - began) / _STATS_SHARE
            else:
                self._publish()
            await asyncio.sleep(_TICK)

    async def wait_run(self, run_id: str) -> RunSummary:
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
        await self.catalog.write(store.write_journal, "run_paused", actor=actor, subject=run.run_id)
        self._publish()

    async def resume(self, actor: str | None) -> None:
        """Let the run go on."""
        run = self._active()
        run.context.control.resume()
        await self.catalog.write(
            store.write_journal, "run_resumed", actor=actor, subject=run.run_id
        )
        self._publish()

    async def cancel(self, actor: str | None) -> None:
        """End the run; returns when it has ended."""
        run = self._active()
        run.stopping = True
        await self.catalog.write(store.write_journal, "run_cancel", actor=actor, subject=run.run_id)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # --- cleanup ------------------------------------------------------------------------------

    def _ground(self) -> Ground:
        return Ground(
            safety=self._config.safety,
            archive_domain=self.archive.domain,
            archive_off_machine=self._config.archive_off_machine,
            can_free=self.source.can_free,
        )

    async def plan_cleanup(
        self, limit: int | None, actor: str | None
    ) -> tuple[PlanSummary, dict[str, int]]:
        """A new plan, and why the rest is not in it."""
        if not self.source.can_free:
            raise NotSupportedBySource
        most = self._config.safety.max_assets_per_plan
        ground = self._ground()
        plan = await self.catalog.write(plans.make_plan, ground, min(limit or most, most), actor)
        reasons = await self.catalog.read(protection.refusals, ground)
        await self.refresh()
        self._on_event(
            EngineEvent(
                "plan_ready",
                {"plan_id": plan.plan_id, "assets": plan.assets, "bytes": plan.bytes},
            )
        )
        return plan, reasons

    async def _plan_in(self, plan_id: str, states: tuple[PlanState, ...]) -> PlanSummary:
        plan = await self.catalog.read(plans.summary_of, plan_id)
        if plan is None:
            raise PlanNotFound(plan_id=plan_id)
        if plan.state not in states:
            raise PlanWrongState(plan_id=plan_id, state=plan.state)
        return plan

    async def _still_current(self, plan_id: str) -> None:
        if not await self.catalog.read(plans.is_current, plan_id):
            await self.catalog.write(
                plans.set_plan_state, plan_id, PlanState.STOPPED, stop_reason="outdated"
            )
            await self.refresh()
            raise PlanOutdated(plan_id=plan_id)

    async def approve(self, plan_id: str, actor: str | None) -> PlanSummary:
        """A person agrees."""
        await self._plan_in(plan_id, (PlanState.PROPOSED,))
        await self._still_current(plan_id)
        await self.catalog.write(plans.set_plan_state, plan_id, PlanState.APPROVED, actor=actor)
        self._on_event(EngineEvent("plan_approved", {"plan_id": plan_id}))
        return await self._plan_now(plan_id)

    async def _plan_now(self, plan_id: str) -> PlanSummary:
        await self.refresh()
        plan = await self.catalog.read(plans.summary_of, plan_id)
        if plan is None:
            raise PlanNotFound(plan_id=plan_id)
        return plan

    async def cleanup(
        self, plan_id: str, dry_run: bool, actor: str | None
    ) -> tuple[PlanSummary, dict[str, int]]:
        """Execute or only check a plan; see ``stages.cleanup`` for the gates."""
        if not self.source.can_free:
            raise NotSupportedBySource
        allowed = (PlanState.PROPOSED, PlanState.APPROVED) if dry_run else (PlanState.APPROVED,)
        await self._plan_in(plan_id, allowed)
        await self._still_current(plan_id)
        executor = Cleanup(plan_id, self._ground(), dry_run=dry_run, actor=actor)
        run = self._new_run((), actor, executor)
        if not dry_run:
            await self.catalog.write(
                plans.set_plan_state, plan_id, PlanState.EXECUTING, actor=actor
            )
        summary = await asyncio.shield(self._launch(run))
        error = run.context.problems.get("run")
        if not dry_run and summary.outcome is not RunOutcome.INTERRUPTED:
            await self._settle(plan_id, summary, error, actor)
        if error is not None:
            raise error
        return await self._plan_now(plan_id), dict(executor.refused)

    async def _settle(
        self,
        plan_id: str,
        summary: RunSummary,
        error: PipelineError | None,
        actor: str | None,
    ) -> None:
        done = summary.outcome in {
            RunOutcome.COMPLETED,
            RunOutcome.COMPLETED_WITH_PROBLEMS,
        }
        reason = None
        if not done:
            reason = summary.error or str(summary.outcome)
            if error is not None:
                reason = error.placeholders.get("reason", error.key)
        await self.catalog.write(
            plans.set_plan_state,
            plan_id,
            PlanState.EXECUTED if done else PlanState.STOPPED,
            actor=actor,
            stop_reason=reason,
        )
        plan = await self._plan_now(plan_id)
        self._on_event(
            EngineEvent(
                "cleanup_done" if done else "cleanup_stopped",
                {
                    "plan_id": plan_id,
                    "assets": plan.freed_assets,
                    "bytes": plan.freed_bytes,
                    "reason": reason,
                },
            )
        )

    async def undo(self, plan_id: str, actor: str | None) -> PlanSummary:
        """Bring a plan's assets back."""
        await self._plan_in(plan_id, (PlanState.EXECUTED, PlanState.STOPPED))
        if self._run is not None or self._busy:
            raise RunActive
        self._busy = True
        try:
            count = await undo(self._context(), plan_id, actor)
        finally:
            self._busy = False
            await self.refresh()
        self._on_event(EngineEvent("cleanup_undone", {"plan_id": plan_id, "assets": count}))
        return await self._plan_now(plan_id)

    # --- sign-in and numbers --------------------------------------------------------------------

    async def submit_code(self, code: str) -> None:
        """Hand in a two-factor code."""
        session = self.session
        if session is None:
            raise NotSupportedBySource
        await session.submit_code(code)
        await self._look_at_source()

    def _authenticated(self) -> bool | None:
        session = self.session
        if session is None:
            return None
        if session.state is SignInState.SIGNED_IN:
            return True
        err = self._problems.get("source")
        if session.state is SignInState.CODE_REQUIRED or (
            err is not None and err.key in {"code_required", "invalid_credentials"}
        ):
            return False
        return None

    async def refresh(self) -> Snapshot:
        """Compute all numbers and publish them."""
        ground = self._ground()
        names = {config.target_id: config.name for config in self._config.targets}
        stats = await self.catalog.read(protection.library_stats, ground)
        targets = await self.catalog.read(protection.target_statuses, names)
        last = await self.catalog.read(store.last_run)
        plan = await self.catalog.read(plans.summary_of, None)
        try:
            free: int | None = await asyncio.to_thread(self.archive.free_bytes)
        except OSError as err:
            _LOGGER.debug("no free space number: %s", err)
            free = None
        self.snapshot = Snapshot(
            library=stats, targets=targets, last_run=last, plan=plan, archive_free=free
        )
        return self._publish()

    def _publish(self) -> Snapshot:
        run = self._run.progress() if self._run is not None else None
        held = {err.key for err in self._problems.values()}
        if self._run is not None:
            held |= {
                err.key
                for subject, err in self._run.context.problems.items()
                if subject not in self.targets.configs
            }
        old = self.snapshot
        self.snapshot = Snapshot(
            status=run.status if run else RunStatus.IDLE,
            library=old.library,
            targets=old.targets,
            run=run,
            last_run=old.last_run,
            plan=old.plan,
            authenticated=self._authenticated(),
            problems=tuple(sorted(held)),
            usage=self._usage,
            archive_free=old.archive_free,
        )
        self._on_snapshot(self.snapshot)
        return self.snapshot

    async def diagnostics(self) -> dict[str, Any]:
        """Counts and states only."""
        snapshot = await self.refresh()
        rows = await self.catalog.read(work.known_targets)
        return {
            "status": snapshot.status,
            "problems": list(snapshot.problems),
            "library": {
                name: getattr(snapshot.library, name) for name in snapshot.library.__slots__
            },
            "last_run": {
                "outcome": snapshot.last_run.outcome,
                "error": snapshot.last_run.error,
                "counts": snapshot.last_run.counts,
            }
            if snapshot.last_run
            else None,
            "targets": [
                {
                    "kind": rows[target_id].kind,
                    "content": rows[target_id].content,
                    "state": status.state,
                    "copies": status.copies,
                    "verified": status.verified,
                    "off_machine": rows[target_id].off_machine,
                }
                for target_id, status in snapshot.targets.items()
            ],
            "errors": await self.catalog.read(store.error_counts),
        }
