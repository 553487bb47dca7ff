"""Compress: a smaller version beside each original where that saves enough. Originals stay."""

import asyncio
import logging
import os
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any, Literal

from ..archive import os_error
from ..catalog import results, work
from ..checksums import hash_file
from ..errors import FileVanished, PipelineError
from ..media.container import check_container
from ..media.jobs import LEFT_ALONE, CompressJob, CompressResult
from ..model import Stage
from ..names import with_tag
from .base import StageContext, drain, failure_of, stops_stage
from .places import compressed_place_of
from .verify import prove_archived

_LOGGER = logging.getLogger(__name__)
_VIDEO = frozenset({"mov", "mp4"})
_DISABLED = "disabled"


class Compress:
    """The second stage; works on what ingest archived, also while ingest goes on."""

    stage = Stage.COMPRESS

    async def run(self, context: StageContext) -> None:
        """Look at every archived original that was not looked at."""

        async def fetch(now: int, limit: int, skip: Collection[int]) -> Sequence[Any]:
            return await context.catalog.read(work.to_compress, now, limit, skip)

        try:
            await drain(
                context,
                fetch=fetch,
                handle=partial(self._compress_one, context),
                identify=lambda row: int(row.id),
                parallel=os.process_cpu_count() or 1,
                more_may_come=lambda: Stage.INGEST in context.running,
            )
        except PipelineError as err:
            context.problem("archive", err)

    async def _compress_one(self, context: StageContext, row: Any) -> None:
        await context.control.checkpoint()
        kind: Literal["photo", "video"] = "video" if row.container in _VIDEO else "photo"
        wanted = context.config.compress
        if not (wanted.videos if kind == "video" else wanted.photos):
            await self._left_alone(context, row, _DISABLED)
            return
        if kind == "photo" and row.container in LEFT_ALONE:
            await self._left_alone(context, row, LEFT_ALONE[row.container])
            return
        try:
            await self._make(context, row, kind)
        except Exception as err:  # a defect costs this item, not the run; see failure_of
            if stops_stage(err):
                raise
            if isinstance(err, FileVanished):
                await prove_archived(context, row)  # notes it when the file really is not there
            context.progress.failed(self.stage, row.id)
            if await context.catalog.write(results.compress_failed, row.id, failure_of(err)):
                _LOGGER.warning("no smaller version of a file: %r", err)
                context.control.announce()

    async def _make(self, context: StageContext, row: Any, kind: Literal["photo", "video"]) -> None:
        source = context.archive.path_of(row.path)
        # named after the original's bytes while it is made, so that nothing else has this name
        place = with_tag(compressed_place_of(row, source.suffix), f"{row.sha256[:8]}-new")
        destination = context.archive.path_of(place)
        try:
            await asyncio.to_thread(self._prepare, context, row, destination.parent)
        except OSError as err:
            raise os_error(err, context.archive.root) from err
        result = await context.media.compress(
            CompressJob(
                source=source,
                destination=destination,
                kind=kind,
                role=row.role,
                min_saving=wanted_saving(context),
            )
        )
        if not result.kept or result.path is None:
            await self._left_alone(context, row, result.reason)
            return
        await self._keep(context, row, result)
        context.progress.done(self.stage, row.size, row.id)
        context.control.announce()

    @staticmethod
    def _prepare(context: StageContext, row: Any, folder: Any) -> None:
        context.archive.check()
        context.archive.need(row.size)
        folder.mkdir(parents=True, exist_ok=True)

    @staticmethod
    async def _keep(context: StageContext, row: Any, result: CompressResult) -> None:
        made = result.path
        assert made is not None  # noqa: S101 - kept results have a path

        def publish() -> tuple[str, str, int, str]:
            container = check_container(made, result.suffix)
            digest = hash_file(made)
            place = context.archive.publish(
                made, compressed_place_of(row, result.suffix), digest.sha256
            )
            return place, digest.sha256, digest.size, container

        try:
            place, sha256, size, container = await asyncio.to_thread(publish)
        except OSError as err:
            raise os_error(err, context.archive.root) from err
        await context.catalog.write(
            results.compressed, row, path=place, sha256=sha256, size=size, container=container
        )

    async def _left_alone(self, context: StageContext, row: Any, reason: str) -> None:
        await context.catalog.write(results.left_alone, row.id, reason)
        context.progress.done(self.stage, row.size, row.id)
        context.control.announce()


def wanted_saving(context: StageContext) -> float:
    """The share that a smaller version must save."""
    return context.config.compress.min_saving


async def waiting(context: StageContext) -> None:
    """Tell the progress what is left."""
    count, size = await context.catalog.read(work.waiting_compress)
    context.progress.waiting(Stage.COMPRESS, count, size)
