"""Verify: a copy counts only after its bytes were hashed at the target or read back.

New copies first, then those whose proof is old; what is missing or damaged is mended at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from time import monotonic
from typing import Any, Final

from ..catalog import scrub
from ..catalog.manifests import ARCHIVE
from ..catalog.scrub import Due
from ..clock import DAY, now_ms
from ..config import TargetConfig
from ..errors import PipelineError, ReadsWrong, TargetUnavailableError
from ..model import Stage
from ..targets.base import Target
from . import manifests
from .base import StageContext, gate_open
from .brake import settle
from .glance import glance_at_archive, glance_at_target
from .heal import heal_archive
from .proving import prove_copies, prove_files, tell_rest
from .sample import try_archive, try_target
from .sync import Sync

_AHEAD: Final = 1024
"""Asked for at once: one question costs as much as many answers."""
_BATCH: Final = 64
_BATCH_BYTES: Final = 1 << 30
_ARCHIVE_BATCH: Final = 64
_FEEDERS: Final = frozenset({Stage.SYNC})
_FILLERS: Final = frozenset({Stage.INGEST, Stage.COMPRESS})
_LOOK: Final = 0.3
_LISTS_EVERY: Final = 600.0
"""Seconds after which lists of checksums are written while new copies still come."""


class Verify:
    """The last stage of a run."""

    stage = Stage.VERIFY

    async def run(self, context: StageContext) -> None:
        """Look everywhere at once, then mend: the archive first, then the targets from it."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._for_archive(context, self._look_at_archive(context)))
                for config in self._targets(context):
                    group.create_task(self._for_target(context, config, self._look_at_target))
            await self._for_archive(context, self._heal(context))
            async with asyncio.TaskGroup() as group:
                group.create_task(self._for_archive(context, self._list_archive(context)))
                for config in self._targets(context):
                    if context.targets.held(config.target_id):
                        continue
                    group.create_task(self._for_target(context, config, self._mend_target))
        finally:
            tell_rest(context)

    @staticmethod
    def _targets(context: StageContext) -> list[TargetConfig]:
        """What was handed over is out of our sight; what failed is left alone."""
        return [
            config
            for config in context.targets.configs.values()
            if not config.hand_off
            and (
                config.target_id not in context.problems
                # sync leaves these alone, and here they are tried
                or isinstance(context.problems[config.target_id], ReadsWrong)
            )
        ]

    @staticmethod
    async def _for_target(
        context: StageContext,
        config: TargetConfig,
        work: Callable[[StageContext, TargetConfig, Target], Awaitable[None]],
    ) -> None:
        try:
            if await gate_open(context, config.target_id, _FEEDERS):
                await work(context, config, await context.targets.get(config.target_id))
        except PipelineError as err:
            if isinstance(err, ReadsWrong) and not context.targets.held(config.target_id):
                context.problem(ARCHIVE, err)  # what was to be sent again is read from there
                return
            context.problem(config.target_id, err)
            if isinstance(err, TargetUnavailableError):
                await context.targets.failed(config.target_id, err)

    @staticmethod
    async def _for_archive(context: StageContext, work: Awaitable[object]) -> None:
        try:
            await work
        except PipelineError as err:
            context.problem("archive", err)

    async def _look_at_target(
        self, context: StageContext, config: TargetConfig, target: Target
    ) -> None:
        await try_target(context, config.target_id, target)
        due = due_now(context, config.rules.reverify_days, config.target_id)
        await glance_at_target(context, config.target_id, target)
        await self._prove_all(context, config.target_id, target, due)

    async def _mend_target(
        self, context: StageContext, config: TargetConfig, target: Target
    ) -> None:
        if await context.catalog.read(scrub.count_lost, config.target_id):
            await Sync().send_lost(context, config, target)
            await self._prove_all(context, config.target_id, target, None)
        await manifests.write_at_target(context, config.target_id, target)
        await settle(context, config.target_id)

    @staticmethod
    async def _heal(context: StageContext) -> None:
        if not context.targets.held(ARCHIVE):
            await heal_archive(context)

    @staticmethod
    async def _list_archive(context: StageContext) -> None:
        if not context.targets.held(ARCHIVE):
            await manifests.write_in_archive(context)
            await settle(context, ARCHIVE)

    async def _look_at_archive(self, context: StageContext) -> None:
        await asyncio.to_thread(context.archive.check)
        await try_archive(context)
        due = due_now(context, place=ARCHIVE)
        await glance_at_archive(context)
        await heal_archive(context)
        allowance = Allowance(context)
        while not allowance.spent:
            await context.control.checkpoint()
            rows = await context.catalog.read(scrub.archive_to_prove, due, _ARCHIVE_BATCH)
            if not rows:
                break
            for batch in batches(rows):
                await context.control.checkpoint()
                with allowance.of(old=True):
                    await prove_files(context, batch)
                if allowance.spent:
                    break
        # what they add belongs to the lists
        while not context.running.isdisjoint(_FILLERS):  # noqa: ASYNC110 - others clear the event
            await asyncio.sleep(_LOOK)

    async def _prove_all(
        self, context: StageContext, target_id: str, target: Target, due: Due | None
    ) -> None:
        """Until nothing is left and nothing more is sent; with ``due`` also what is old."""
        allowance = Allowance(context)
        lists_at = monotonic() + _LISTS_EVERY
        while True:
            await context.control.checkpoint()
            if not context.targets.may_use(target_id):
                return
            expecting = Stage.SYNC in context.running
            rows = await context.catalog.read(
                scrub.to_prove, target_id, None if allowance.spent else due, now_ms(), _AHEAD
            )
            # small batches cost a round trip each: while sync goes on, let one fill up
            if not rows or (expecting and len(rows) < _BATCH // 4):
                if not expecting:
                    return
                await context.control.wait_for_work(1.0)
                if not rows or Stage.SYNC in context.running:
                    await asyncio.sleep(0.2)
                if not rows:
                    continue
            for batch in batches(rows):
                old = batch[0].proven_at is not None
                if (old and allowance.spent) or not context.targets.may_use(target_id):
                    break
                await context.control.checkpoint()
                with allowance.of(old):
                    await prove_copies(context, target, batch)
                if expecting and old:
                    break  # what was sent meanwhile comes first
            if monotonic() > lists_at:
                await manifests.write_at_target(context, target_id, target)
                lists_at = monotonic() + _LISTS_EVERY


class Allowance:
    """The time that a run may spend on proofs that only are old, at one place."""

    def __init__(self, context: StageContext) -> None:
        """Nothing is spent."""
        self._left = None if context.prove_all else context.config.scrub_seconds
        self._old = False
        self._began = 0.0

    @property
    def spent(self) -> bool:
        """True when the rest is left to the next run."""
        return self._left is not None and self._left <= 0

    def of(self, old: bool) -> Allowance:
        """For a ``with`` block around a piece of work; only what is ``old`` takes from it."""
        self._old = old
        return self

    def __enter__(self) -> None:
        self._began = monotonic()

    def __exit__(self, *_: object) -> None:
        if self._old and self._left is not None:
            self._left -= monotonic() - self._began


def batches(rows: Sequence[Any]) -> Iterator[list[Any]]:
    """In their order, so many at a time as one proof may take in files and bytes, at least one."""
    batch: list[Any] = []
    size = 0
    for row in rows:
        if batch and (len(batch) == _BATCH or size + row.size > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += row.size
    if batch:
        yield batch


def due_now(context: StageContext, days: int | None = None, place: str = "") -> Due:
    """Which proofs are to be renewed in this run; ``days`` is a period of a target's own."""
    if context.prove_all:
        return Due(context.started)
    brake = context.targets.brakes.get(place)
    if brake is not None and brake.accepted is not None:
        return Due(brake.accepted)
    return Due.within((days or context.config.reverify_days) * DAY, now_ms())


async def waiting(context: StageContext) -> None:
    """Tell the progress what is left."""
    due = due_now(context, place=ARCHIVE)
    count, size = await context.catalog.read(scrub.archive_waiting, due)
    for target_id, config in context.targets.configs.items():
        if target_id in context.problems or config.hand_off:
            continue
        due = due_now(context, config.rules.reverify_days, target_id)
        more, more_size = await context.catalog.read(scrub.waiting_proof, target_id, due)
        count, size = count + more, size + more_size
    context.progress.waiting(Stage.VERIFY, count, size)
