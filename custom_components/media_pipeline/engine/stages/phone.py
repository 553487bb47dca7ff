"""A phone before and after it is sent to: what still lies there, what left, what it is told."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ..catalog import resident
from ..clock import DAY, now_ms
from ..config import TargetConfig
from ..errors import TargetFull, TargetWaiting
from ..targets.base import Target
from ..targets.phone import PhoneTarget, PixelTargetConfig
from ..targets.phone_scan import Scan
from .base import StageContext

_LOGGER = logging.getLogger(__name__)


@asynccontextmanager
async def attended(
    context: StageContext, config: TargetConfig, target: Target
) -> AsyncIterator[None]:
    """Look at a phone first, and tell it of what came afterwards; nothing for other targets."""
    if not isinstance(target, PhoneTarget) or not isinstance(config, PixelTargetConfig):
        yield
        return
    await _look(context, config, target)
    try:
        yield
    except TargetWaiting, TargetFull:
        await _tell(context, config, target)
        raise
    await _tell(context, config, target)


async def _look(context: StageContext, config: PixelTargetConfig, target: PhoneTarget) -> None:
    """What left without us is noted, what may go is removed, and the rest is reckoned with."""
    rows = await context.catalog.read(resident.believed_there, config.target_id)
    found = await target.look([row.path for row in rows])
    await context.catalog.write(
        resident.seen,
        [row.id for row in rows if row.path in found],
        [row.id for row in rows if row.path not in found],
    )
    left = list(await context.catalog.read(resident.believed_there, config.target_id))
    if config.prune:
        left = await _prune(context, config, target, left, found)
    await target.take_room(sum(row.size for row in left))


async def _prune(
    context: StageContext,
    config: PixelTargetConfig,
    target: PhoneTarget,
    rows: list[Any],
    found: dict[str, Any],
) -> list[Any]:
    """Remove what something speaks for that it was backed up, if nobody touched it since."""
    kept = []
    before = now_ms() - config.keep_days * DAY
    for row in rows:
        there = found.get(row.path)
        old = row.sent_at is not None and row.sent_at < before
        same = there is not None and (there.size, there.mtime) == (row.size, row.mtime)
        if not (row.evidence and old and same):
            kept.append(row)
            continue
        await target.delete(row.path)
        await context.catalog.write(resident.pruned, row.id)
    if len(kept) < len(rows):
        _LOGGER.info("%d files were removed from the phone", len(rows) - len(kept))
    return kept


async def _tell(context: StageContext, config: PixelTargetConfig, target: PhoneTarget) -> None:
    """Have the phone's media library look at what came, and Google Photos opened."""
    rows = await context.catalog.read(resident.not_told, config.target_id)
    if not rows:
        return
    found = await target.look([row.path for row in rows])
    there = [row for row in rows if row.path in found]
    await context.catalog.write(
        resident.arrived, {row.id: int(found[row.path].mtime) for row in there}
    )
    outcome = await target.scan([row.path for row in there])
    if outcome is Scan.DONE:
        await context.catalog.write(resident.told, [row.id for row in there])
    if target.home is not None and config.notify_action:
        await target.home.open_photos(config)
