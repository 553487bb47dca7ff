"""A phone before and after it is sent to: what still lies there, what left, what it is told."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import batched
from time import monotonic
from typing import Any, Final

from ..catalog import resident
from ..catalog.database import Catalog
from ..clock import DAY, HOUR, now_ms
from ..config import TargetConfig
from ..errors import TargetFull, TargetWaiting
from ..targets.base import Target
from ..targets.phone import PhoneTarget, PixelTargetConfig
from ..targets.phone_scan import Told
from .base import StageContext

_LOGGER = logging.getLogger(__name__)
_AGAIN: Final = 20 * HOUR
"""Then the phone is told again of what seems not to be backed up: daily, also by daily runs."""
_AT_ONCE: Final = 200
"""Files after which it is written down what the phone was told of."""
_TELL_SECONDS: Final = 900
"""Broadcasts may take a second each, and a run has to end."""


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
    """Have the phone look at what came, and once more at what it was told of in vain."""
    rows = await context.catalog.read(resident.to_tell, config.target_id, now_ms() - _AGAIN)
    await tell(context.catalog, config, target, rows)


async def tell(
    catalog: Catalog, config: PixelTargetConfig, target: PhoneTarget, rows: Sequence[Any]
) -> Told | None:
    """Have the phone's media library look at copies, and Google Photos opened.

    What there is no time for is left for the next time. Returns how the last of it went, with all
    that was told; None when none of the copies lies there. Raises what ``PhoneTarget.look`` raises.
    """
    if not rows:
        return None
    found = await target.look([row.path for row in rows])
    there = [row for row in rows if row.path in found]
    new = {row.id: int(found[row.path].mtime) for row in there if row.mtime is None}
    await catalog.write(resident.arrived, new)
    if not there:
        return None
    until = monotonic() + _TELL_SECONDS
    known: list[str] = []
    for part in batched(there, _AT_ONCE, strict=False):
        told = await target.tell([row.path for row in part])
        paths = set(told.paths)
        await catalog.write(resident.told, [row.id for row in part if row.path in paths])
        known += told.paths
        if told.way is None or monotonic() > until:
            break
    if target.home is not None and config.notify_action:
        await target.home.open_photos(config)
    return replace(told, paths=tuple(known))
