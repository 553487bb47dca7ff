"""The only door Home Assistant uses. Behind it the pipeline runs on a thread with its own loop.

Every ``async`` method here may be awaited from any event loop; the work happens on the engine's.
"""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .config import EngineConfig, TargetConfig
from .engine_thread import EngineThread
from .errors import EngineStopped
from .home import Home, Item
from .media.jobs import MediaKind
from .model import (
    DEFAULT_STAGES,
    DrillResult,
    EngineEvent,
    KindEstimate,
    LibraryCensus,
    PlanSummary,
    PutAside,
    RestoreReport,
    RestoreRequest,
    RunSummary,
    ShownAsset,
    Snapshot,
    Stage,
)

if TYPE_CHECKING:
    from .adopt.report import Report as AdoptReport
    from .adopt.report import Request as AdoptRequest
    from .core import Core
    from .sources.icloud.session import ICloudSession
    from .targets.trial import Finding


class Engine:
    """One source, its archive and its targets."""

    def __init__(
        self,
        config: EngineConfig,
        *,
        on_snapshot: Callable[[Snapshot], None],
        on_event: Callable[[EngineEvent], None],
        home: Home | None = None,
    ) -> None:
        """The callbacks are called on the engine's thread; snapshots about once a second.

        ``home`` is asked by targets that hand things over.
        """
        self._home = home
        self._config = config
        self._on_snapshot = on_snapshot
        self._on_event = on_event
        self._thread = EngineThread()
        self._core: Core | None = None

    @property
    def snapshot(self) -> Snapshot:
        """The latest numbers; cheap, from any thread."""
        return self._core.board.snapshot if self._core else Snapshot()

    @property
    def icloud_session(self) -> ICloudSession | None:
        """The account's session, shared with the reauth flow so that Apple is asked only once."""
        return self._core.session if self._core else None

    async def start(self) -> None:
        """Start the thread, open or migrate the catalog, check the archive. Fast, no network.

        Raises CatalogUnusable, MarkerMissing, MarkerForeign, DeviceChanged, TargetReadOnly.
        """
        await self._thread.start()
        try:
            await self._call(self._open())
        except BaseException:  # also a cancelled start must end the thread
            await self.stop()
            raise

    async def _open(self) -> None:
        # imported here, on the engine's thread: heavy libraries must not hold up Home Assistant
        from .core import Core

        self._core = Core(self._config, self._on_snapshot, self._on_event, self._home)
        await self._core.open()

    async def stop(self) -> None:
        """Interrupt a run (it goes on with the next one), close everything, end the thread."""
        await self._thread.stop(self._core.close if self._core is not None else None)

    async def _call[T](self, coroutine: Coroutine[Any, Any, T]) -> T:
        return await self._thread.call(coroutine)

    def _opened(self) -> Core:
        if self._core is None or not self._thread.running:
            raise EngineStopped
        return self._core

    async def start_run(
        self,
        stages: tuple[Stage, ...] = DEFAULT_STAGES,
        *,
        actor: str | None = None,
        seconds: float | None = None,
        prove_all: bool = False,
    ) -> str:
        """Start a run and return its id at once; it ends after ``seconds`` at the latest.

        With ``prove_all`` verify proves everything, however new its proof is. Raises RunActive.
        """
        runs = self._opened().runs
        return await self._call(runs.start(stages, actor, seconds, prove_all=prove_all))

    async def wait_run(self, run_id: str) -> RunSummary:
        """Wait until that run ended. Raises NoActiveRun for an unknown id."""
        return await self._call(self._opened().runs.wait(run_id))

    async def pause(self, *, actor: str | None = None) -> None:
        """Pause after the pieces under way. Raises NoActiveRun."""
        await self._call(self._opened().runs.pause(actor))

    async def resume(self, *, actor: str | None = None) -> None:
        """Go on. Raises NoActiveRun."""
        await self._call(self._opened().runs.resume(actor))

    async def cancel(self, *, actor: str | None = None) -> None:
        """Stop the run; what is done stays done. Raises NoActiveRun."""
        await self._call(self._opened().runs.cancel(actor))

    async def quarantine(self, *, limit: int = 1000) -> list[PutAside]:
        """Files that were put aside, and why."""
        return await self._call(self._opened().quarantine(limit))

    async def retry_quarantined(self, *, actor: str | None = None) -> int:
        """Let the next run try what was put aside; returns how many files."""
        return await self._call(self._opened().retry_quarantined(actor))

    async def go_on(self, place: str, *, actor: str | None = None) -> bool:
        """Mend what is lost at a place (a target's id, or ``archive``) that reads wrong everywhere.

        The next run proves everything there anew. False when the place is not held (any more).
        """
        return await self._call(self._opened().go_on(place, actor))

    async def adopt(self, request: AdoptRequest, *, actor: str | None = None) -> AdoptReport:
        """Take over what another tool downloaded, or (dry run) say what could be. Takes a while.

        Raises RunActive, the Adopt… errors, and what listing the source or writing to the archive
        raises. Cancelled like a run; then the report is not complete.
        """
        from .adopt.desk import adopt

        return await self._call(adopt(self._opened(), request, actor))

    async def restore(self, request: RestoreRequest, *, actor: str | None = None) -> RestoreReport:
        """Bring originals back into a folder, proven. Takes a while; cancelled like a run.

        Raises RunActive, RestoreFolderFull, LocalWriteFailed and the archive's errors.
        """
        from .restore_desk import restore

        return await self._call(restore(self._opened(), request, actor))

    async def restore_drill(
        self, *, files: int, seconds: float, actor: str | None = None
    ) -> dict[str, DrillResult]:
        """Fetch ``files`` random originals back from each target: id → how it went.

        No file is begun after ``seconds``. Raises RunActive and the archive's errors.
        """
        from .restore_desk import drill

        return await self._call(drill(self._opened(), files, seconds, actor))

    async def plan_cleanup(
        self, *, limit: int | None = None, actor: str | None = None
    ) -> tuple[PlanSummary, dict[str, int]]:
        """Propose what may be freed; also says why the rest may not: reason → assets."""
        return await self._call(self._opened().plans.plan(limit, actor))

    async def approve_cleanup(self, plan_id: str, *, actor: str | None = None) -> PlanSummary:
        """Approve a proposed plan. Raises PlanNotFound, PlanWrongState, PlanOutdated."""
        return await self._call(self._opened().plans.approve(plan_id, actor))

    async def cleanup(
        self, plan_id: str, *, dry_run: bool = True, actor: str | None = None
    ) -> tuple[PlanSummary, dict[str, int]]:
        """Execute an approved plan, or (dry run, works on proposed ones too) check every gate only.

        Returns the plan and why assets were refused now: reason → assets. Raises PlanNotFound,
        PlanWrongState, PlanOutdated, CleanupStopped, RunActive, NotSupportedBySource.
        """
        return await self._call(self._opened().plans.execute(plan_id, dry_run, actor))

    async def undo_cleanup(self, plan_id: str, *, actor: str | None = None) -> PlanSummary:
        """Restore a plan's freed assets from Recently Deleted."""
        return await self._call(self._opened().plans.undo(plan_id, actor))

    async def reconcile(self, *, actor: str | None = None) -> tuple[dict[str, LibraryCensus], int]:
        """Compare everything with the source: library → numbers, and how many assets it found.

        Raises RunActive, HeldBack, NotSupportedBySource and what the source raises.
        """
        return await self._call(self._opened().reconcile(actor))

    async def estimate(self) -> dict[MediaKind, KindEstimate]:
        """What compressing the archived files that wait will take and save, by kind."""
        return await self._call(self._opened().estimate())

    async def libraries(self) -> list[str]:
        """Libraries with archived assets to look at."""
        from .catalog import browse

        return await self._call(self._opened().catalog.read(browse.libraries))

    async def folders(self, library: str) -> dict[str, int]:
        """Folder (``2024/05``) → archived assets in it, the newest first."""
        from .catalog import browse

        return await self._call(self._opened().catalog.read(browse.folders, library))

    async def in_folder(self, library: str, folder: str) -> list[ShownAsset]:
        """The archived assets of a folder that are not hidden, the newest first."""
        from .catalog import browse

        return await self._call(self._opened().catalog.read(browse.in_folder, library, folder))

    async def shown(self, asset_id: int) -> tuple[ShownAsset, Path] | None:
        """An archived asset and its file; None when there is none to look at."""
        from .catalog import browse

        core = self._opened()
        asset = await self._call(core.catalog.read(browse.one, asset_id))
        return None if asset is None else (asset, core.archive.path_of(asset.path))

    async def example(self) -> Item | None:
        """The newest archived photo as it would be handed over; None while there is none."""
        from .catalog import hand_off

        core = self._opened()
        return await self._call(core.catalog.read(hand_off.example, core.archive.path_of))

    async def preview(self, asset_id: int, side: int) -> Path:
        """A JPEG of an archived asset that fits a square of ``side`` pixels.

        Raises FileVanished, MediaUnreadable, the archive's errors, and the media workers'.
        """
        return await self._call(self._opened().preview(asset_id, side))

    async def submit_code(self, code: str) -> None:
        """Answer Apple's question for a two-factor code; an event tells how it went.

        Raises InvalidCode, CodeExpired, TooManyCodes, CodeRequired (none was asked for) ...
        """
        await self._call(self._opened().account.submit_code(code))

    async def request_code(self, *, sms: bool = False) -> None:
        """Have Apple send a new code, to the devices or by SMS.

        Raises TooManyCodes, SecurityKeyRequired, NotSupportedBySource, SourceUnreachable ...
        """
        await self._call(self._opened().account.request_code(sms=sms))

    async def refresh(self) -> Snapshot:
        """Compute the numbers anew (free space, catalog)."""
        return await self._call(self._opened().board.refresh())

    async def try_target(self, config: TargetConfig) -> None:
        """Connect to a target of ours, which must still carry its marker, and write for once.

        ``config`` may differ from the engine's own. Raises what ``Target.open`` raises.
        """
        await self._call(self._opened().targets.try_again(config))
        await self.refresh()

    async def known_host_keys(self, config: TargetConfig) -> tuple[str, ...]:
        """Host keys (OpenSSH's lines) that an SSH target accepts, the one shown last first.

        They are the confirmed one and those that the server announced since.
        """
        return await self._call(self._opened().targets.known_host_keys(config))

    async def forget_host_keys(self, target_id: str) -> None:
        """Have an SSH target accept only the confirmed key: a person just looked at another."""
        await self._call(self._opened().targets.forget_host_keys(target_id))

    async def test_target(self, target_id: str) -> list[Finding]:
        """Try out all that a target must be able to do; what each step showed. See ``trial``.

        An error of the target is a finding. Raises UnknownTarget.
        """
        core = self._opened()
        return await self._call(core.targets.test(target_id, self._config.private_dir))

    async def rescan_phone(self, target_id: str, *, actor: str | None = None) -> int:
        """Tell a phone's media library again of all that we sent and that lies there; how many.

        Raises RunActive, UnknownTarget, ScanHung, ScanMissing, PhoneNotTold, and what opening a
        target raises.
        """
        from .phone_desk import rescan

        return await self._call(rescan(self._opened(), target_id, actor))

    async def set_gate(self, target_id: str, *, is_open: bool) -> None:
        """Let runs use a target, or not; what is under way there is finished."""
        core = self._opened()

        async def tell() -> None:
            core.targets.set_gate(target_id, is_open=is_open)

        await self._call(tell())

    async def checkpoint(self) -> None:
        """Bring the catalog's file up to date, before it is copied. Raises CatalogUnusable."""
        await self._call(self._opened().catalog.checkpoint())

    async def diagnostics(self) -> dict[str, Any]:
        """Counts and states for a diagnostics file; no names, hosts or paths."""
        return await self._call(self._opened().board.diagnostics())
