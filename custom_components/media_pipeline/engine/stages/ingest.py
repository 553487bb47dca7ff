"""Ingest: list what changed at the source, and archive every file of it."""

import asyncio
import logging
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import uuid4

from ..bandwidth import Bandwidth
from ..catalog import results, work
from ..catalog.assets import (
    CURSOR,
    keys_not_seen,
    keys_of_masters,
    mark_gone,
    store_assets,
    store_page,
)
from ..catalog.gathered import Gathered
from ..catalog.store import get_values, set_values
from ..clock import now_ms
from ..errors import (
    PipelineError,
    SourceUnreachable,
    TargetUnavailableError,
    ThrottledError,
)
from ..fetching.traffic import Traffic
from ..model import ChangePage, EngineEvent, Stage
from .addresses import Addresses
from .base import StageContext, drain, failure_of, patiently, stops_stage, wait_out
from .download import AssetGone, Downloader
from .old_parts import remove_old_parts
from .records import keep_saving
from .twins import Twins
from .undo import resolve_unknown

_LOGGER = logging.getLogger(__name__)
_WALK = "walk/"
# After this many files in a row that the network broke, the source is taken to be away.
_NETWORK_FAILURES = 20
_LOOK_UP = 200
# Files in work for each download: others are flushed, proven and written down meanwhile.
_UNDER_WAY = 3
# Stages that read each file once more when it is here.
_READERS = frozenset({Stage.COMPRESS, Stage.SYNC})
SOURCE = "source"


class Ingest:
    """The first stage. Its later runs cost what changed."""

    stage = Stage.INGEST

    def __init__(self) -> None:
        """One object per run."""
        self._listing = False
        self._broken = 0
        self._breaks: Counter[int] = Counter()

    async def run(self, context: StageContext) -> None:
        """List and download side by side; what stops them is noted as a problem of the source."""
        try:
            await patiently(context, context.source.open)
            await patiently(context, partial(resolve_unknown, context.catalog, context.source))
        except PipelineError as err:
            self._note(context, err)
            return
        addresses = Addresses(context.source, context.catalog)
        twins = Twins(context.catalog, context.archive)
        self._results = Gathered(
            context.catalog,
            results.archived,
            lambda files: context.archive.flush(file.path for file in files),
        )
        downloader = Downloader(
            context.source,
            context.archive,
            addresses,
            twins,
            Traffic(
                context.control,
                Bandwidth(context.config.download_limit),
                context.progress.moved,
                context.config.downloads,
                read_soon=not context.running.isdisjoint(_READERS),
            ),
        )
        self._listing = True
        ended = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._list(context))
                download = group.create_task(self._download(context, downloader, twins))
                download.add_done_callback(lambda _: ended.set())
                group.create_task(self._save_records(context, ended))
        finally:
            await self._results.finish()  # a run that is cut short, too, knows what it archived
            await addresses.close()
            await context.source.rest()
        if not context.problems.keys() & {SOURCE, "archive"}:  # all that is wanted was looked at
            try:
                await remove_old_parts(context)
            except PipelineError as err:
                context.problem("archive", err)

    @staticmethod
    async def _save_records(context: StageContext, ended: asyncio.Event) -> None:
        try:
            await keep_saving(context, ended)
        except PipelineError as err:
            context.problem("archive", err)

    @staticmethod
    def _note(context: StageContext, err: PipelineError) -> None:
        subject = "archive" if isinstance(err, TargetUnavailableError) else SOURCE
        context.problem(subject, err)
        if err.key == "code_required":
            context.report(EngineEvent("code_required"))

    async def _list(self, context: StageContext) -> None:
        try:
            await self.list_all(context)
        except PipelineError as err:
            self._note(context, err)
        finally:
            self._listing = False
            context.control.announce()

    async def list_all(self, context: StageContext) -> None:
        """Store what changed at the source, and fetch nothing. Raises what stops it."""
        from .reconcile import scheduled  # it needs look_up of this module

        while True:
            try:
                await self._walk(context)
                await scheduled(context)
                return
            except ThrottledError as err:
                if not await wait_out(context, err):
                    raise

    async def _walk(self, context: StageContext) -> None:
        cursor = await context.catalog.read(get_values, CURSOR)
        stored = await context.catalog.read(get_values, _WALK)
        walk_id = stored.get("id", "")
        async for page in context.source.walk(cursor):
            if page.started_walk or not walk_id:
                walk_id = uuid4().hex[:12]
                await context.catalog.write(set_values, _WALK, {"id": walk_id})
            if page.complete_walk:
                await self._find_unseen(context, walk_id)
            await context.catalog.write(store_page, page, walk_id)
            await self._find_masters(context, page)
            context.control.announce()
            await context.control.checkpoint()

    @staticmethod
    async def _find_masters(context: StageContext, page: ChangePage) -> None:
        if not page.masters_alone:
            return
        keys = await context.catalog.read(keys_of_masters, page.masters_alone)
        await look_up(context, keys)

    @staticmethod
    async def _find_unseen(context: StageContext, walk_id: str) -> None:
        """A full walk need not list everything (bursts, files still growing): ask for the rest."""
        unseen = await context.catalog.read(keys_not_seen, walk_id)
        for start in range(0, len(unseen), _LOOK_UP):
            await look_up(context, unseen[start : start + _LOOK_UP])
            await context.control.checkpoint()

    async def _download(self, context: StageContext, downloader: Downloader, twins: Twins) -> None:
        async def fetch(now: int, limit: int, skip: Collection[int]) -> Sequence[Any]:
            rows = await context.catalog.read(work.to_ingest, now, limit, skip)
            await twins.expect(rows)
            return rows

        try:
            while True:
                try:
                    await drain(
                        context,
                        fetch=fetch,
                        handle=partial(self._archive_one, context, downloader),
                        identify=lambda row: int(row.id),
                        parallel=context.config.downloads * _UNDER_WAY,
                        more_may_come=lambda: self._listing,
                    )
                    break
                except ThrottledError as err:
                    if not await wait_out(context, err):
                        raise
        except PipelineError as err:
            self._note(context, err)

    async def _archive_one(self, context: StageContext, downloader: Downloader, row: Any) -> None:
        await context.control.checkpoint()
        try:
            done = await downloader.fetch(row)
            await self._results.write(
                results.ArchivedFile(row.id, done.path, done.sha256, done.size, done.container)
            )
        except AssetGone:
            return  # the look-up that said so has written it down
        except Exception as err:  # a defect costs this item, not the run; see failure_of
            if stops_stage(err):
                raise
            await self._failed(context, row, err)
            return
        self._broken = 0
        context.progress.done(self.stage, done.size, row.id)
        context.control.announce()

    async def _failed(self, context: StageContext, row: Any, err: Exception) -> None:
        context.progress.failed(self.stage, row.id)
        failure = failure_of(err)
        if not failure.counts:
            self._breaks[row.id] += 1
            failure = replace(failure, tries=self._breaks[row.id])
        if await context.catalog.write(results.ingest_failed, row.id, failure):
            _LOGGER.warning("a file was put aside: %r", err)
        if isinstance(err, SourceUnreachable):
            self._broken += 1
            if self._broken >= _NETWORK_FAILURES:
                raise err


async def look_up(context: StageContext, keys: Sequence[str]) -> None:
    """Store what the source says of these assets now; only a clear "not there" makes one gone."""
    if not keys:
        return
    found = await context.source.lookup(keys)
    records = [record for record in found.values() if record is not None]
    await context.catalog.write(store_assets, records)
    gone = [key for key in keys if key in found and found[key] is None]
    await context.catalog.write(mark_gone, gone)


async def waiting(context: StageContext) -> None:
    """Tell the progress what is left."""
    count, size = await context.catalog.read(work.waiting_ingest, now_ms())
    context.progress.waiting(Stage.INGEST, count, size)
