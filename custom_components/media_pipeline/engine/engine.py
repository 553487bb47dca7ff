"""The only door Home Assistant uses: a thread with its own event loop that the pipeline runs on.

Every ``async`` method here may be awaited from any event loop; the work happens on the engine's.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from .config import EngineConfig
from .model import (
    DEFAULT_STAGES,
    EngineEvent,
    PlanSummary,
    RunSummary,
    Snapshot,
    Stage,
)
from .sources.icloud.session import ICloudSession


class Engine:
    """One source, its archive and its targets."""

    def __init__(
        self,
        config: EngineConfig,
        *,
        on_snapshot: Callable[[Snapshot], None],
        on_event: Callable[[EngineEvent], None],
    ) -> None:
        """The callbacks are called on the engine's thread; snapshots at most once a second."""
        raise NotImplementedError

    @property
    def snapshot(self) -> Snapshot:
        """The latest numbers; cheap, from any thread."""
        raise NotImplementedError

    @property
    def icloud_session(self) -> ICloudSession | None:
        """The account's session, shared with the reauth flow so that Apple is asked only once."""
        raise NotImplementedError

    async def start(self) -> None:
        """Start the thread, open or migrate the catalog, check the archive. Fast, no network.

        Raises CatalogUnusable, MarkerMissing, MarkerForeign, DeviceChanged, TargetReadOnly.
        """

    async def stop(self) -> None:
        """Interrupt a run (it goes on with the next one), close everything, end the thread."""

    async def start_run(
        self, stages: tuple[Stage, ...] = DEFAULT_STAGES, *, actor: str | None = None
    ) -> str:
        """Start a run and return its id at once. Raises RunActive."""
        raise NotImplementedError

    async def wait_run(self, run_id: str) -> RunSummary:
        """Wait until that run ended. Raises NoActiveRun for an unknown id."""
        raise NotImplementedError

    async def pause(self, *, actor: str | None = None) -> None:
        """Pause after the pieces under way. Raises NoActiveRun."""

    async def resume(self, *, actor: str | None = None) -> None:
        """Go on. Raises NoActiveRun."""

    async def cancel(self, *, actor: str | None = None) -> None:
        """Stop the run; what is done stays done. Raises NoActiveRun."""

    async def plan_cleanup(
        self, *, limit: int | None = None, actor: str | None = None
    ) -> tuple[PlanSummary, dict[str, int]]:
        """Propose what may be freed; also says why the rest may not: reason → assets."""
        raise NotImplementedError

    async def approve_cleanup(self, plan_id: str, *, actor: str | None = None) -> PlanSummary:
        """Approve a proposed plan. Raises PlanNotFound, PlanWrongState, PlanOutdated."""
        raise NotImplementedError

    async def cleanup(
        self, plan_id: str, *, dry_run: bool = True, actor: str | None = None
    ) -> tuple[PlanSummary, dict[str, int]]:
        """Execute an approved plan, or (dry run, works on proposed ones too) check every gate only.

        Returns the plan and why assets were refused now: reason → assets. Raises PlanNotFound,
        PlanWrongState, PlanOutdated, CleanupStopped, RunActive, NotSupportedBySource.
        """
        raise NotImplementedError

    async def undo_cleanup(self, plan_id: str, *, actor: str | None = None) -> PlanSummary:
        """Restore a plan's freed assets from Recently Deleted."""
        raise NotImplementedError

    async def submit_code(self, code: str) -> None:
        """Answer Apple's question for a two-factor code. Raises InvalidCode, CodeRequired."""

    async def refresh(self) -> Snapshot:
        """Compute the numbers anew (free space, catalog)."""
        raise NotImplementedError

    async def diagnostics(self) -> dict[str, Any]:
        """Counts and states for a diagnostics file; no names, hosts or paths."""
        raise NotImplementedError


__all__ = ["Engine", "asyncio"]
