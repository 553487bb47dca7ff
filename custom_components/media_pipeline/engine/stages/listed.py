"""Google Photos after it was handed photos: which of them it shows. It speaks for them, no more."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from ..catalog import listed
from ..clock import SECOND, now_ms
from ..config import TargetConfig
from ..targets.base import Target
from ..targets.google_photos import GooglePhotosTarget
from .base import StageContext

_LOGGER = logging.getLogger(__name__)
_EVERY: Final = 6 * 3600 * SECOND
"""A list costs a request for every hundred photos, of the ten thousand that Google allows a day."""


@asynccontextmanager
async def looked_at(
    context: StageContext, config: TargetConfig, target: Target
) -> AsyncIterator[None]:
    """Look at what Google Photos lists, after sending; nothing for other targets."""
    yield
    if isinstance(target, GooglePhotosTarget):
        await _look(context, config, target)


async def _look(context: StageContext, config: TargetConfig, target: GooglePhotosTarget) -> None:
    if not await context.catalog.read(listed.wants_look, config.target_id, now_ms() - _EVERY):
        return
    names = await target.listed()
    found = await context.catalog.write(listed.seen, config.target_id, names)
    _LOGGER.info("Google Photos lists %d files, %d of ours for the first time", len(names), found)
