"""Part files that nobody will finish: of assets deleted meanwhile, and of older versions."""

import asyncio
import hashlib
import logging
import re
import time
from collections.abc import Collection
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, select

from ..archive import Archive, os_error
from ..catalog.schema import assets, resources
from ..model import ResourceState, SourceState
from .base import StageContext

_LOGGER = logging.getLogger(__name__)
_KEPT_SECONDS: Final = 7 * 24 * 3600.0
_NAME: Final = re.compile(r"(\d+)-[0-9a-f]{12}\.part")


def part_name(resource_id: int, version: str) -> str:
    """The name of the part file of one version of a resource."""
    return f"{resource_id}-{hashlib.sha256(version.encode()).hexdigest()[:12]}.part"


async def remove_old_parts(context: StageContext) -> None:
    """Remove part files that nothing was added to for a week and that no pending resource needs.

    Raises TargetUnavailableError kinds.
    """
    old = await asyncio.to_thread(_old, context.archive, time.time() - _KEPT_SECONDS)
    if not old:
        return
    needed = await context.catalog.read(_needed, {int(name.partition("-")[0]) for name in old})
    paths = [path for name, path in old.items() if name not in needed]
    await asyncio.to_thread(_remove, context.archive, paths)
    _LOGGER.info("removed %d part files that nobody would have finished", len(paths))


def _old(archive: Archive, before: float) -> dict[str, Path]:
    """Name → path of part files that are older than that (seconds since 1970)."""
    try:
        return {
            path.name: path
            for path in archive.part_of("").iterdir()
            if _NAME.fullmatch(path.name) and path.lstat().st_mtime < before
        }
    except OSError as err:
        raise os_error(err, archive.root) from err


def _needed(connection: Connection, resource_ids: Collection[int]) -> set[str]:
    """Part files of these resources that a download will go on with."""
    rows = connection.execute(
        select(resources.c.id, resources.c.version)
        .join(assets, assets.c.id == resources.c.asset_id)
        .where(
            resources.c.id.in_(resource_ids),
            resources.c.current,
            resources.c.state.in_([ResourceState.PENDING, ResourceState.QUARANTINED]),
            assets.c.state != SourceState.GONE,
        )
    )
    return {part_name(row.id, row.version) for row in rows}


def _remove(archive: Archive, paths: Collection[Path]) -> None:
    archive.check()  # nothing is deleted below a foreign mount
    try:
        for path in paths:
            path.unlink(missing_ok=True)
    except OSError as err:
        raise os_error(err, archive.root) from err
