"""What the engine's door leads to: one source, its archive, its targets; on the engine's loop.

Everything here runs on one event loop, so plain attributes need no locks.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from .archive import Archive
from .catalog import (
    browse,
    census,
    copy_results,
    measures,
    plans,
    protection,
    quarantine,
    results,
    store,
    work,
)
from .catalog.compressed import compress_counts
from .catalog.database import Catalog
from .catalog.protection import Ground
from .config import EngineConfig
from .control import Control, Progress
from .errors import (
    AccountLocked,
    CodeRequired,
    FileVanished,
    HeldBack,
    InvalidCode,
    InvalidCredentials,
    NoActiveRun,
    NotSupportedBySource,
    PipelineError,
    RunActive,
    SecurityKeyRequired,
    TargetFull,
    TargetUnavailableError,
    TermsRequired,
    ThrottledError,
    WrongRegion,
)
from .marker import FolderIdentity
from .media.jobs import MediaKind
from .media.pace import Pace
from .media.pool import MediaPool
from .model import (
    EngineEvent,
    KindEstimate,
    LibraryCensus,
    PutAside,
    RunStatus,
    RunSummary,
    Snapshot,
    Stage,
    Usage,
)
from .pipeline import Run
from .plan_desk import PlanDesk
from .previews import Previews
from .sources.icloud.session import ICloudSession, SignInState
from .sources.registry import make_source
from .stages.base import StageContext, StageRunner
from .stages.reconcile import Reconcile
from .stages.undo import resolve_unknown
from .target_hub import TargetHub

_LOGGER = logging.getLogger(__name__)
_TICK = 1.0
_PAUSED = "paused"
# What a new sign-in cures; a missing consent, for example, it does not.
_SIGN_IN_ERRORS = (
    AccountLocked,
    CodeRequired,
    InvalidCode,
    InvalidCredentials,
    SecurityKeyRequired,
    TermsRequired,
    WrongRegion,
)
# How often to see whether the trust of the session is to be renewed, in seconds.
_TRUST_LOOK = 3600.0
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
        self.config = config
        self._on_snapshot = on_snapshot
        self.report = on_event
        known = (
            FolderIdentity(config.archive_id, config.archive_device or "")
            if config.archive_id
            else None
        )
        self.catalog = Catalog(config.private_dir / "catalog.db")
        self.archive = Archive(config.archive, known, config.archive_reserve_bytes)
        self.source = make_source(config.source, config.private_dir / "session")
        self.targets = TargetHub(config.targets, self.catalog)
        self._media = MediaPool(pace=Pace.gentle() if config.compress.gentle else None)
        self._previews = Previews(self.archive, self._media, config.preview_bytes)
        self.snapshot = Snapshot()
        self.plans = PlanDesk(self)
        self._run: Run | None = None
        self._task: asyncio.Task[RunSummary] | None = None
        self._ended: dict[str, RunSummary] = {}
        self._problems: dict[str, PipelineError] = {}
        self._usage: Usage | None = None
        self._census: dict[str, LibraryCensus] = {}
        self._busy = False
        self._background: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Open the catalog and check the archive; then look at the source in the background."""
        await self.catalog.open()
        await self.archive.open()
        config = self.config
        await self.catalog.write(
            copy_results.register_targets,
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
        if (session := self.session) is not None:
            self._spawn(self._keep_trusted(session))

    async def close(self) -> None:
        """Interrupt a run and let go of everything."""
        if self._run is not None:
            self._run.interrupted = not self._run.stopping
            await self._stop_run(self._run)
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._previews.close()
        await self._media.close()
        await self.targets.close()
        await self.source.close()
        await self.catalog.close()

    def _spawn(self, work_to_do: Any) -> None:
        self.keep(asyncio.create_task(work_to_do))

    def keep[T](self, task: asyncio.Task[T]) -> asyncio.Task[T]:
        """Let a task live until it ends or the core is closed, whoever waits for it."""
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    async def _look_at_source(self) -> None:
        try:
            await self.source.open()
            await resolve_unknown(self.catalog, self.source)
            self._usage = await self.source.usage()
            self._problems.pop("source", None)
        except PipelineError as err:
            _LOGGER.info("the source is not ready: %s (%s)", err.key, err.detail)
            self._problems["source"] = err
            if err.key == "code_required":
                self.report(EngineEvent("code_required"))
        await self.refresh()

    async def _keep_trusted(self, session: ICloudSession) -> None:
        """Renew the trust in time, also when no run happens for weeks."""
        while True:
            await asyncio.sleep(_TRUST_LOOK)
            before = session.trust_ends
            try:
                await session.keep_trusted()
            except PipelineError as err:
                _LOGGER.debug("no new trust: %s (%s)", err.key, err.detail)
            if session.trust_ends != before:
                self._publish()

    @property
    def session(self) -> ICloudSession | None:
        """The account's session; None for a folder."""
        return getattr(self.source, "session", None)

    async def start_run(
        self, stages: tuple[Stage, ...], actor: str | None, seconds: float | None = None
    ) -> str:
        """Start a run; RunActive when something else goes on, HeldBack when Apple wants no request.

        A person is told so at once, and so is who asked for nothing but ingest. A run that an
        automation started does what needs no iCloud, and notes the problem.
        """
        if Stage.INGEST in stages and (actor is not None or set(stages) == {Stage.INGEST}):
            self.refuse_held_back()
        run = self.new_run(tuple(stage for stage in stages if stage is not Stage.CLEANUP), actor)
        run.seconds = seconds or self.config.run_seconds
        self.launch(run)
        return run.run_id

    @property
    def throttled_until(self) -> float | None:
        """Until when Apple wants no request, in seconds since 1970; None when it may be asked."""
        return self.session.pacer.until if self.session is not None else None

    def refuse_held_back(self) -> None:
        """Raise HeldBack while Apple wants no request."""
        until = self.throttled_until
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

    def new_run(
        self, stages: tuple[Stage, ...], actor: str | None, extra: StageRunner | None = None
    ) -> Run:
        """A run that is not started yet. Raises RunActive when something else goes on."""
        if self._run is not None or self._busy:
            raise RunActive
        return Run(self.context(), stages, actor, extra)

    def context(self) -> StageContext:
        """What a new run works with."""
        return StageContext(
            config=self.config,
            catalog=self.catalog,
            archive=self.archive,
            source=self.source,
            targets=self.targets,
            media=self._media,
            control=Control(),
            progress=Progress(),
            report=self.report,
        )

    def launch(self, run: Run) -> asyncio.Task[RunSummary]:
        """Start a run."""
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
            self._media.pace.lift(_PAUSED)
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
                try:
                    await self.refresh()
                except PipelineError as err:  # the run itself says so; the next look may work
                    _LOGGER.warning("no numbers: %s (%s)", err.key, err.detail)
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
        self._media.pace.put(_PAUSED)
        await self.catalog.write(store.write_journal, "run_paused", actor=actor, subject=run.run_id)
        self._publish()

    async def resume(self, actor: str | None) -> None:
        """Let the run go on."""
        run = self._active()
        run.context.control.resume()
        self._media.pace.lift(_PAUSED)
        await self.catalog.write(
            store.write_journal, "run_resumed", actor=actor, subject=run.run_id
        )
        self._publish()

    async def cancel(self, actor: str | None) -> None:
        """End the run; returns when it has ended."""
        run = self._active()
        await self.catalog.write(store.write_journal, "run_cancel", actor=actor, subject=run.run_id)
        await self._stop_run(run)

    async def _stop_run(self, run: Run) -> None:
        """Cancel once: a second blow would hit the run while it writes down its end."""
        task = self._task
        if self._run is not run or task is None:
            return
        if not run.stopping:
            run.stopping = True
            task.cancel()
        await asyncio.wait([task])

    async def quarantine(self, limit: int) -> list[PutAside]:
        """Files that were put aside, and why."""
        return await self.catalog.read(quarantine.put_aside, limit)

    async def retry_quarantined(self, actor: str | None) -> int:
        """Let the next run try what was put aside."""
        count = await self.catalog.write(quarantine.retry, actor)
        await self.refresh()
        return count

    def ground(self) -> Ground:
        """What protection is judged by."""
        return Ground(
            safety=self.config.safety,
            archive_domain=self.archive.domain,
            archive_off_machine=self.config.archive_off_machine,
            can_free=self.source.can_free,
        )

    async def reconcile(self, actor: str | None) -> tuple[dict[str, LibraryCensus], int]:
        """A full look at the source; each library's numbers, and how many assets it found."""
        self.refuse_held_back()
        if not self.source.can_free:
            raise NotSupportedBySource
        look = Reconcile(actor)
        run = self.new_run((), actor, look)
        await asyncio.shield(self.launch(run))
        if (error := run.context.problems.get("run")) is not None:
            raise error
        return await self.catalog.read(census.last), look.found

    async def estimate(self) -> dict[MediaKind, KindEstimate]:
        """What compressing will take, for the kinds that are switched on."""
        found = await self.catalog.read(measures.estimate)
        wanted = {"photo": self.config.compress.photos, "video": self.config.compress.videos}
        workers = self._media.pace.workers
        return {
            kind: replace(one, seconds=one.seconds / workers)
            for kind, one in found.items()
            if wanted[kind]
        }

    async def preview(self, asset_id: int, side: int) -> Path:
        """A small JPEG of an archived asset."""
        shown = await self.catalog.read(browse.one, asset_id)
        if shown is None:
            raise FileVanished(f"no asset {asset_id} to look at")
        source = self.archive.path_of(shown.path)
        return await self._previews.get(source, shown.sha256, side)

    async def submit_code(self, code: str) -> None:
        """Hand in a two-factor code."""
        session = self.session
        if session is None:
            raise NotSupportedBySource
        try:
            await session.submit_code(code)
        except PipelineError as err:
            self.report(EngineEvent("code_rejected", {"reason": err.key}))
            raise
        self.report(EngineEvent("code_accepted"))
        await self._look_at_source()

    async def request_code(self, *, sms: bool) -> None:
        """Have Apple send a new code, because a person wants one."""
        session = self.session
        if session is None:
            raise NotSupportedBySource
        await session.send_code(sms=sms)
        self._publish()

    def _authenticated(self) -> bool | None:
        session = self.session
        if session is None:
            return None
        if session.state is SignInState.SIGNED_IN:
            return True
        err = self._problems.get("source")
        if session.state is SignInState.CODE_REQUIRED or isinstance(err, _SIGN_IN_ERRORS):
            return False
        return None

    async def _forget_solved(self) -> None:
        """Problems that went away without a run: a new sign-in, an archive that is back."""
        err = self._problems.get("source")
        session = self.session
        signed_in = session is not None and session.state is SignInState.SIGNED_IN
        if isinstance(err, _SIGN_IN_ERRORS) and signed_in:
            self._problems.pop("source", None)
        if isinstance(err, ThrottledError) and session is not None:
            pacers = (session.pacer, session.content_pacer)
            if all(pacer.until is None for pacer in pacers):
                self._problems.pop("source", None)
        if isinstance(self._problems.get("run"), ThrottledError) and self.throttled_until is None:
            self._problems.pop("run", None)
        for subject in ("archive", "run"):
            held = self._problems.get(subject)
            # a full disk is left to the next run, which knows how much it needs
            if isinstance(held, TargetUnavailableError) and not isinstance(held, TargetFull):
                try:
                    await asyncio.to_thread(self.archive.check)
                except PipelineError as still:
                    self._problems[subject] = still
                else:
                    self._problems.pop(subject, None)

    async def refresh(self) -> Snapshot:
        """Compute all numbers and publish them."""
        await self._forget_solved()
        ground = self.ground()
        names = {config.target_id: config.name for config in self.config.targets}
        stats = await self.catalog.read(protection.library_stats, ground)
        targets = await self.catalog.read(protection.target_statuses, names)
        last = await self.catalog.read(store.last_run)
        plan = await self.catalog.read(plans.summary_of, None)
        self._census = await self.catalog.read(census.last)
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
        until = self.throttled_until
        if until is not None:
            held.add(ThrottledError.key)
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
            trust_ends=self.session.trust_ends if self.session else None,
            census=self._census,
            throttled_until=None if until is None else int(until * 1000),
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
            "compress": await self.catalog.read(compress_counts),
        }
