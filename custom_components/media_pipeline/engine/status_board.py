"""What is shown: the numbers of the catalog, what holds something up, and how the run goes."""

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from .catalog import census, library_numbers, plans, store, target_numbers, work
from .catalog.compressed import compress_counts
from .catalog.lost import lost_originals
from .catalog.manifests import ARCHIVE
from .errors import PipelineError, ReadsWrong, TargetFull, TargetUnavailableError, ThrottledError
from .model import LibraryCensus, RunStatus, Snapshot, Stage, Usage
from .pipeline import Run

if TYPE_CHECKING:
    from .core import Core

_LOGGER = logging.getLogger(__name__)
SOURCE: Final = "source"
"""Subject of a problem of the source; others are ``archive`` and ``run``."""


class StatusBoard:
    """Problems by subject, and the latest snapshot."""

    def __init__(self, core: Core) -> None:
        """Works on the core's loop."""
        self._core = core
        self.snapshot = Snapshot()
        self.problems: dict[str, PipelineError] = {}
        self.usage: Usage | None = None
        self._census: dict[str, LibraryCensus] = {}

    def take_problems(self, run: Run) -> None:
        """What a run that ended found out takes the place of what was known before."""
        if Stage.INGEST in run.stages:
            self.problems.pop(SOURCE, None)
        self.problems.pop("archive", None)
        self.problems.pop("run", None)
        self.problems |= self._own_problems(run)

    def _own_problems(self, run: Run) -> dict[str, PipelineError]:
        """Those of the source, the archive and the run; targets keep theirs in the catalog."""
        return {
            subject: err
            for subject, err in run.context.problems.items()
            if subject not in self._core.targets.configs
        }

    async def _forget_solved(self) -> None:
        """Problems that went away without a run: a new sign-in, an archive that is back."""
        account = self._core.account
        if account.has_solved(self.problems.get(SOURCE)):
            self.problems.pop(SOURCE, None)
        if isinstance(self.problems.get("run"), ThrottledError) and not account.throttled_until:
            self.problems.pop("run", None)
        for subject in ("archive", "run"):
            held = self.problems.get(subject)
            # a full disk is left to the next run, which knows how much it needs
            if isinstance(held, TargetUnavailableError) and not isinstance(held, TargetFull):
                try:
                    await asyncio.to_thread(self._core.archive.check)
                except PipelineError as still:
                    self.problems[subject] = still
                else:
                    self.problems.pop(subject, None)

    async def refresh(self) -> Snapshot:
        """Compute all numbers and publish them."""
        await self._forget_solved()
        ground = self._core.ground()
        stats = await self._core.catalog.read(library_numbers.library_stats, ground)
        targets = await self._core.catalog.read(
            target_numbers.target_statuses, self._core.config.targets
        )
        damaged, lost = await self._core.catalog.read(lost_originals)
        last = await self._core.catalog.read(store.last_run)
        plan = await self._core.catalog.read(plans.summary_of, None)
        self._census = await self._core.catalog.read(census.last)
        try:
            free: int | None = await asyncio.to_thread(self._core.archive.free_bytes)
        except OSError as err:
            _LOGGER.debug("no free space number: %s", err)
            free = None
        self.snapshot = Snapshot(
            library=stats,
            targets=targets,
            last_run=last,
            plan=plan,
            archive_free=free,
            archive_damaged=damaged,
            archive_lost=lost,
        )
        return self.publish()

    def publish(self) -> Snapshot:
        """Tell Home Assistant's side what is known; cheap."""
        core = self._core
        active = core.runs.active
        run = active.progress() if active is not None else None
        problems = self.problems | (self._own_problems(active) if active is not None else {})
        held = {err.key for err in problems.values()}
        if core.targets.held(ARCHIVE):
            held.add(ReadsWrong.key)
        until = core.account.throttled_until
        if until is not None:
            held.add(ThrottledError.key)
        self.snapshot = replace(
            self.snapshot,
            status=run.status if run else RunStatus.IDLE,
            run=run,
            authenticated=core.account.authenticated,
            problems=tuple(sorted(held)),
            usage=self.usage,
            trust_ends=core.session.trust_ends if core.session else None,
            census=self._census,
            throttled_until=None if until is None else int(until * 1000),
        )
        core.show(self.snapshot)
        return self.snapshot

    async def diagnostics(self) -> dict[str, Any]:
        """Counts and states only."""
        snapshot = await self.refresh()
        rows = await self._core.catalog.read(work.known_targets)
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
            "errors": await self._core.catalog.read(store.error_counts),
            "compress": await self._core.catalog.read(compress_counts),
        }
