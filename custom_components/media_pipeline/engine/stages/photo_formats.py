"""Smaller photos in the formats that single targets want: part of compress."""

import logging
import os
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from ..catalog import photo_formats
from ..errors import FileVanished
from ..media.jobs import CompressJob, CompressResult, PhotoFormat, PhotoPreset
from ..model import Stage
from ..names import with_tag
from .base import StageContext, drain, failure_of, stops_stage
from .captions import captions_of
from .places import compressed_place_of
from .proving import prove_archived
from .smaller import make_room, publish_smaller

_LOGGER = logging.getLogger(__name__)


def wanted_formats(context: StageContext) -> list[PhotoFormat]:
    """The formats that some target wants instead of the entry's; none while photos stay as is."""
    if not context.config.compress.photos:
        return []
    return sorted(set(photo_formats.own_formats(context.config).values()))


async def make_formats(context: StageContext, preset: PhotoPreset) -> None:
    """Make every version in one format that is missing, also while ingest goes on.

    Raises TargetUnavailableError kinds when the archive can't be used, and CatalogUnusable.
    """

    async def fetch(now: int, limit: int, skip: Collection[int]) -> Sequence[Any]:
        return await context.catalog.read(photo_formats.to_make, preset.format, now, limit, skip)

    await drain(
        context,
        fetch=fetch,
        handle=partial(_make_one, context, preset),
        identify=lambda row: int(row.id),
        parallel=os.process_cpu_count() or 1,
        more_may_come=lambda: Stage.INGEST in context.running,
    )


async def _make_one(context: StageContext, preset: PhotoPreset, row: Any) -> None:
    await context.control.checkpoint()
    try:
        result = await _make(context, preset, row)
        if result.kept:
            await _keep(context, preset.format, row, result)
        else:
            await context.catalog.write(photo_formats.left_alone, row, preset.format, result.reason)
    except Exception as err:  # a defect costs this item, not the run; see failure_of
        if stops_stage(err):
            raise
        if isinstance(err, FileVanished):
            await prove_archived(context, row)  # notes it when the file really is not there
        context.progress.failed(Stage.COMPRESS, row.id)
        failure = failure_of(err)
        if await context.catalog.write(photo_formats.failed, row, preset.format, failure):
            _LOGGER.warning("no %s of a photo: %r", preset.format, err)
    context.control.announce()


async def _make(context: StageContext, preset: PhotoPreset, row: Any) -> CompressResult:
    suffix = preset.format.suffix
    # named after the original's bytes and the format while it is made, as no other file is
    place = with_tag(compressed_place_of(row, suffix), f"{row.sha256[:8]}-{preset.format}-new")
    destination = context.archive.path_of(place)
    await make_room(context, row, destination)
    wanted = context.config.compress
    return await context.media.compress(
        CompressJob(
            source=context.archive.path_of(row.path),
            destination=destination,
            kind="photo",
            role=row.role,
            min_saving=wanted.min_saving,
            preset=preset,
            captions=await context.catalog.read(captions_of, row.asset_id)
            if wanted.captions
            else None,
        )
    )


async def _keep(
    context: StageContext, wanted: PhotoFormat, row: Any, result: CompressResult
) -> None:
    done = await publish_smaller(context, row, result)
    await context.catalog.write(
        photo_formats.made,
        row,
        wanted,
        path=done.path,
        sha256=done.sha256,
        size=done.size,
        container=done.container,
    )
