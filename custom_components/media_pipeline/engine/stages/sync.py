"""Sync: every target gets what it lacks, side by side; one that fails does not hold the others."""

import asyncio
import logging
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from ..archive import os_error
from ..catalog import chosen, copy_results, hand_off, retention, work
from ..catalog.twins_there import WORTH_COPYING, doubt, twin_at
from ..config import TargetConfig
from ..errors import (
    FileVanished,
    PipelineError,
    SourceFileChanged,
    TargetUnavailableError,
    TargetWaiting,
)
from ..layout import DEFAULT_LAYOUT, lay_out
from ..model import WRITTEN_ROLES, Stage
from ..targets.base import Target
from ..targets.together import Together
from .aside import move_deleted_aside
from .base import StageContext, drain, failure_of, gate_open, stops_stage
from .brake import reads_wrong
from .hand_off import Turns, hand_over, prepare
from .hidden_names import write_names
from .listed import looked_at
from .phone import attended
from .proving import prove_archived
from .retention import retain

_LOGGER = logging.getLogger(__name__)
_FEEDERS = frozenset({Stage.INGEST, Stage.COMPRESS})


class ArchiveAway(Exception):
    """The archive, not the target, is what can't be used."""

    def __init__(self, error: PipelineError) -> None:
        """``error`` is what the archive's check raised."""
        super().__init__(error.key)
        self.error = error


async def check_archive(context: StageContext) -> None:
    """A missing file may only mean that the archive's mount vanished. Raises ArchiveAway."""
    try:
        await asyncio.to_thread(context.archive.check)
    except PipelineError as err:
        raise ArchiveAway(err) from err


class Sync:
    """The third stage; works on what ingest and compress made, also while they go on."""

    stage = Stage.SYNC

    def __init__(self) -> None:
        """For one run."""
        self._turns = Turns()

    async def run(self, context: StageContext) -> None:
        """All targets at once."""
        async with asyncio.TaskGroup() as group:
            for config in context.targets.configs.values():
                group.create_task(self._sync_target(context, config))

    async def _sync_target(self, context: StageContext, config: TargetConfig) -> None:
        async def fetch(now: int, limit: int, skip: Collection[int]) -> Sequence[Any]:
            if not context.targets.may_use(config.target_id):
                return ()
            return await context.catalog.read(
                work.to_send, config.target_id, config.content, config.rules, now, limit, skip
            )

        try:
            if not await gate_open(context, config.target_id, _FEEDERS):
                return
            if config.hand_off:
                await prepare(context, config)
            if context.targets.held(config.target_id):  # verify tries it, see stages.sample
                raise reads_wrong(context.targets, config.target_id)
            target = await context.targets.get(config.target_id)
            await context.catalog.write(retention.forget_returned, config.target_id, config.rules)
            async with (
                attended(context, config, target),
                looked_at(context, config, target),
                Together(target, config.parallel, context.control.checkpoint) as together,
            ):
                await drain(
                    context,
                    fetch=fetch,
                    handle=partial(self._send_one, context, config, target, together),
                    identify=lambda row: int(row.id),
                    parallel=config.parallel if config.hand_off else together.callers,
                    more_may_come=lambda: not context.running.isdisjoint(_FEEDERS),
                )
            if context.targets.may_use(config.target_id):
                await move_deleted_aside(context, config, target)
                await retain(context, config, target)
                await write_names(context, config, target)
        except ArchiveAway as err:
            context.problem("archive", err.error)
        except TargetWaiting as err:
            await context.targets.failed(config.target_id, err)
        except PipelineError as err:
            context.problem(config.target_id, err)
            if isinstance(err, TargetUnavailableError):
                await context.targets.failed(config.target_id, err)

    async def send_lost(self, context: StageContext, config: TargetConfig, target: Target) -> None:
        """Send again what a target had and lost. Raises what stops the target."""

        async def fetch(now: int, limit: int, skip: Collection[int]) -> Sequence[Any]:
            return await context.catalog.read(work.lost_to_send, config.target_id, now, limit, skip)

        try:
            async with Together(target, config.parallel, context.control.checkpoint) as together:
                await drain(
                    context,
                    fetch=fetch,
                    handle=partial(self._send_one, context, config, target, together),
                    identify=lambda row: int(row.id),
                    parallel=config.parallel if config.hand_off else together.callers,
                    more_may_come=lambda: False,
                )
        except ArchiveAway as err:
            raise err.error from err

    async def _send_one(
        self,
        context: StageContext,
        config: TargetConfig,
        target: Target,
        together: Together,
        row: Any,
    ) -> None:
        if not config.hand_off:
            await self._send(context, config, target, together, row)
            return
        async with self._turns.of(config.target_id, row.sha256):
            # the queue is asked ahead: the same bytes may have gone there as another file since
            if await context.catalog.read(
                hand_off.still_wanted, config.target_id, config.content, row.id
            ):
                await self._send(context, config, target, together, row)

    async def _send(
        self,
        context: StageContext,
        config: TargetConfig,
        target: Target,
        together: Together,
        row: Any,
    ) -> None:
        await context.control.checkpoint()
        if not context.targets.may_use(config.target_id):
            return  # the gate closed since the catalog was asked
        source = context.archive.path_of(row.path)
        # only files of ours are ever written anew, and only over our own older one
        replace = row.role in WRITTEN_ROLES and row.copy_path is not None
        twin = None
        try:
            try:
                stat = await asyncio.to_thread(source.stat)
            except FileNotFoundError as err:
                raise FileVanished(str(err), path=row.path) from err
            except OSError as err:
                raise ArchiveAway(os_error(err, context.archive.root)) from err
            place = row.copy_path if replace else await self._place(context, config, row)
            if config.hand_off:
                delivery = await hand_over(context, config, target, row, source, place, stat)
            else:
                if not replace and together.copies_there and row.size >= WORTH_COPYING:
                    twin = await context.catalog.read(twin_at, config.target_id, row)
                delivery = await together.deliver(
                    source,
                    place,
                    size=row.size,
                    sha256=row.sha256,
                    mtime=stat.st_mtime,
                    replace=replace,
                    twin=twin.path if twin is not None else None,
                    on_bytes=context.progress.moved,
                )
        except ArchiveAway:
            raise
        except Exception as err:  # a defect costs this item, not the run; see failure_of
            if stops_stage(err):
                raise
            if isinstance(err, SourceFileChanged | FileVanished):
                await self._look_at_archive(context, row)
            context.progress.failed(self.stage, row.id)
            failure = failure_of(err)
            if await context.catalog.write(
                copy_results.copy_failed, row.id, config.target_id, failure
            ):
                _LOGGER.warning("a copy for a target was put aside: %s (%s)", failure.key, err)
            return
        if twin is not None and delivery.twin_differs:
            _LOGGER.warning("a copy at a target turned out to be wrong: %s", twin.path)
            await context.catalog.write(doubt, twin.id)
        sent = partial(
            copy_results.copy_sent, stored_sha256=delivery.stored_sha256, proof=delivery.proof
        )
        await context.catalog.write(
            copy_results.copy_delivered if config.hand_off else sent,
            row.id,
            config.target_id,
            path=delivery.path,
            size=delivery.size,
            sha256=row.sha256,
        )
        context.progress.done(self.stage, row.size, row.id)
        if delivery.proof is not None and not config.hand_off:
            context.progress.done(Stage.VERIFY, row.size)
        context.control.announce()

    @staticmethod
    async def _place(context: StageContext, config: TargetConfig, row: Any) -> str:
        """Where a new copy is to lie."""
        layout = config.rules.layout
        if layout == DEFAULT_LAYOUT:
            return str(row.path)
        facts = await context.catalog.read(chosen.layout_facts, config.rules, row)
        return lay_out(layout, facts)

    @staticmethod
    async def _look_at_archive(context: StageContext, row: Any) -> None:
        """What a target's reader says of our file is only a hint: read it again ourselves."""
        await check_archive(context)
        now = await context.catalog.read(work.resource, row.id)
        if now is None or now.sha256 != row.sha256 or now.path != row.path:
            return  # a newer record took its place meanwhile
        try:
            await prove_archived(context, now)
        except PipelineError as err:
            raise ArchiveAway(err) from err


async def waiting(context: StageContext) -> None:
    """Tell the progress what is left."""
    count = size = 0
    for config in context.targets.configs.values():
        if config.target_id in context.problems or config.target_id in context.targets.resting:
            continue
        more, more_size = await context.catalog.read(
            work.waiting_send, config.target_id, config.content, config.rules
        )
        count, size = count + more, size + more_size
    context.progress.waiting(Stage.SYNC, count, size)
