"""Motion photos and share copies, for the targets that want them: part of compress."""

import asyncio
import logging
import os
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any, Final

from ..archive import os_error
from ..catalog import derivatives
from ..checksums import hash_file
from ..errors import PipelineError
from ..media.container import check_container
from ..media.jobs import CompressResult, DeriveJob, PhotoPreset
from ..model import Content, Kind, Role, Stage
from ..names import with_tag
from .base import StageContext, drain, failure_of, stops_stage
from .places import derived_place_of

_LOGGER = logging.getLogger(__name__)
_WANTED: Final = {
    Content.MOTION_PHOTOS: Role.MOTION_PHOTO,
    Content.SHARE: Role.SHARE,
}
_FILMS: Final = frozenset({"mov", "mp4"})


def wanted_roles(context: StageContext) -> list[Role]:
    """The derivatives that some target is to receive."""
    contents = {target.content for target in context.config.targets}
    return [role for content, role in _WANTED.items() if content in contents]


async def derive_all(context: StageContext, role: Role, preset: PhotoPreset) -> None:
    """Make every derivative of one role that is missing, also while ingest goes on.

    Raises TargetUnavailableError kinds when the archive can't be used, and CatalogUnusable.
    """

    async def fetch(now: int, limit: int, skip: Collection[int]) -> Sequence[Any]:
        return await context.catalog.read(derivatives.to_derive, role, now, limit, skip)

    await drain(
        context,
        fetch=fetch,
        handle=partial(_derive_one, context, role, preset),
        identify=lambda row: int(row.id),
        parallel=os.process_cpu_count() or 1,
        more_may_come=lambda: Stage.INGEST in context.running,
    )


async def _derive_one(context: StageContext, role: Role, preset: PhotoPreset, row: Any) -> None:
    await context.control.checkpoint()
    try:
        result = await _make(context, role, preset, row)
        if result.kept:
            await _keep(context, role, row, result)
        else:
            await context.catalog.write(derivatives.not_derived, row, role, result.reason)
    except Exception as err:  # a defect costs this item, not the run; see failure_of
        if stops_stage(err):
            raise
        context.progress.failed(Stage.COMPRESS, row.id)
        if await context.catalog.write(derivatives.derive_failed, row, role, failure_of(err)):
            _LOGGER.warning("no %s of an asset: %r", role, err)
    context.control.announce()


async def _make(context: StageContext, role: Role, preset: PhotoPreset, row: Any) -> CompressResult:
    place = with_tag(derived_place_of(row, role, _suffix(role, row)), f"{row.sha256[:8]}-new")
    destination = context.archive.path_of(place)
    try:
        await asyncio.to_thread(_prepare, context, row, destination.parent)
    except OSError as err:
        raise os_error(err, context.archive.root) from err
    film = context.archive.path_of(row.film_path) if role == Role.MOTION_PHOTO else None
    return await context.media.derive(
        DeriveJob(
            kind="motion" if role == Role.MOTION_PHOTO else "share",
            source=context.archive.path_of(row.path),
            destination=destination,
            film=film,
            preset=preset,
        )
    )


def _suffix(role: Role, row: Any) -> str:
    """The ending that fits the content, which the original's name may not."""
    if role == Role.MOTION_PHOTO:
        return ".jpg" if row.container == "jpeg" else ".heic"
    return ".mp4" if row.container in _FILMS or row.asset_kind == Kind.VIDEO else ".jpg"


def _prepare(context: StageContext, row: Any, folder: Any) -> None:
    context.archive.check()
    context.archive.need(2 * row.size)
    folder.mkdir(parents=True, exist_ok=True)


async def _keep(context: StageContext, role: Role, row: Any, result: CompressResult) -> None:
    made = result.path
    assert made is not None  # noqa: S101 - kept results have a path

    def publish() -> tuple[str, str, int, str]:
        container = check_container(made, result.suffix)
        digest = hash_file(made)
        wanted = derived_place_of(row, role, result.suffix)
        place = context.archive.publish(made, wanted, digest.sha256)
        return place, digest.sha256, digest.size, container

    try:
        place, sha256, size, container = await asyncio.to_thread(publish)
    except OSError as err:
        raise os_error(err, context.archive.root) from err
    except PipelineError:
        made.unlink(missing_ok=True)
        raise
    await context.catalog.write(
        derivatives.derived, row, role, path=place, sha256=sha256, size=size, container=container
    )
