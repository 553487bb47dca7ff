"""Compress: a smaller version beside each original where that saves enough. Originals stay."""

import asyncio
import logging
import os
from collections.abc import Collection, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from ..catalog import measures, results, work
from ..errors import FileVanished, PipelineError
from ..media.jobs import LEFT_ALONE, CompressJob, CompressResult, PhotoPreset, VideoPreset
from ..media.presets import SETTINGS
from ..model import Stage
from ..names import with_tag
from .base import StageContext, drain, failure_of, stops_stage
from .captions import captions_of
from .derive import derive_all, wanted_roles
from .photo_formats import make_formats, wanted_formats
from .places import compressed_place_of
from .probe import probe_all
from .proving import prove_archived
from .smaller import make_room, publish_smaller

_LOGGER = logging.getLogger(__name__)
_VIDEO = frozenset({"mov", "mp4"})
_DISABLED = "disabled"


class Compress:
    """The second stage; works on what ingest archived, also while ingest goes on."""

    stage = Stage.COMPRESS

    async def run(self, context: StageContext) -> None:
        """Look at every archived original that was not looked at; read what files say; derive."""
        preset = photo_preset(context)
        async with asyncio.TaskGroup() as group:
            group.create_task(_held_up(context, self._compress_all(context)))
            group.create_task(_held_up(context, probe_all(context)))
            for wanted in wanted_formats(context):
                other = make_formats(context, replace(preset, format=wanted))
                group.create_task(_held_up(context, other))
            for role in wanted_roles(context):
                group.create_task(_held_up(context, derive_all(context, role, preset)))

    async def _compress_all(self, context: StageContext) -> None:
        async def fetch(now: int, limit: int, skip: Collection[int]) -> Sequence[Any]:
            return await context.catalog.read(work.to_compress, now, limit, skip)

        await drain(
            context,
            fetch=fetch,
            handle=partial(self._compress_one, context),
            identify=lambda row: int(row.id),
            parallel=os.process_cpu_count() or 1,
            more_may_come=lambda: Stage.INGEST in context.running,
        )

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
        await make_room(context, row, destination)
        photo = kind == "photo"
        captions = None
        if context.config.compress.captions:
            captions = await context.catalog.read(captions_of, row.asset_id)
        job = CompressJob(
            source=source,
            destination=destination,
            kind=kind,
            role=row.role,
            min_saving=wanted_saving(context),
            preset=photo_preset(context) if photo else video_preset(context),
            captions=captions,
        )
        result = await context.media.compress(
            job,
            lambda part: context.progress.under_way(self.stage, row.id, int(part * row.size)),
        )
        if result.cpu_seconds:
            saved = max(0, result.source_size - result.size)
            done = measures.Measure(result.cpu_seconds, result.source_size, saved)
            await context.catalog.write(measures.add, kind, done)
        if not result.kept or result.path is None:
            await self._left_alone(context, row, result.reason, result.quality)
            return
        await self._keep(context, row, result)
        context.progress.done(self.stage, row.size, row.id)
        context.control.announce()

    @staticmethod
    async def _keep(context: StageContext, row: Any, result: CompressResult) -> None:
        done = await publish_smaller(context, row, result)
        await context.catalog.write(
            results.compressed,
            row,
            path=done.path,
            sha256=done.sha256,
            size=done.size,
            container=done.container,
            quality=result.quality,
        )

    async def _left_alone(
        self, context: StageContext, row: Any, reason: str, quality: float | None = None
    ) -> None:
        await context.catalog.write(results.left_alone, row.id, reason, quality)
        context.progress.done(self.stage, row.size, row.id)
        context.control.announce()


async def _held_up(context: StageContext, part: Coroutine[Any, Any, None]) -> None:
    """Let one part of the stage end without the others when the archive holds it up."""
    try:
        await part
    except PipelineError as err:
        context.problem("archive", err)


def photo_preset(context: StageContext) -> PhotoPreset:
    """How photos are made smaller."""
    wanted = context.config.compress
    return PhotoPreset(
        quality=wanted.photo_quality or SETTINGS[wanted.care].photo_quality,
        format=wanted.photo_format,
        cap_pixels=wanted.photo_megapixels * 1_000_000,
        floor=SETTINGS[wanted.care].floor,
    )


def video_preset(context: StageContext) -> VideoPreset:
    """How videos are made smaller."""
    wanted = context.config.compress
    return VideoPreset(
        crf=SETTINGS[wanted.care].crf,
        codec=wanted.video_codec,
        cap_pixels=wanted.video_megapixels * 1_000_000,
        dolby_vision=wanted.dolby_vision,
        floor=SETTINGS[wanted.care].floor,
    )


def wanted_saving(context: StageContext) -> float:
    """The share that a smaller version must save."""
    return context.config.compress.min_saving


async def waiting(context: StageContext) -> None:
    """Tell the progress what is left."""
    count, size = await context.catalog.read(work.waiting_compress)
    context.progress.waiting(Stage.COMPRESS, count, size)
