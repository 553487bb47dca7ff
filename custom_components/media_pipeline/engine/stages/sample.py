"""Whether a place that read wrong can be trusted again: a sample of it, the wrong ones first."""

import asyncio
from typing import Final

from ..archive import os_error
from ..catalog import brakes
from ..catalog.manifests import ARCHIVE
from ..targets.base import Target
from .base import StageContext
from .brake import reads_wrong, release
from .proving import reads_well, wrong_among

_SAMPLE: Final = 64


async def try_target(context: StageContext, target_id: str, target: Target) -> None:
    """Let go of the brake when the sample is good. Raises ReadsWrong when it is not."""
    if not context.targets.held(target_id):
        return
    seen = context.targets.brakes[target_id].seen
    rows = await context.catalog.read(brakes.sample_of_copies, target_id, seen, _SAMPLE)
    if await wrong_among(context, target, rows):
        raise reads_wrong(context.targets, target_id)
    await release(context, target_id, "sample_good")


async def try_archive(context: StageContext) -> None:
    """Like ``try_target``, for the archive."""
    if not context.targets.held(ARCHIVE):
        return
    seen = context.targets.brakes[ARCHIVE].seen
    for row in await context.catalog.read(brakes.sample_of_archive, seen, _SAMPLE):
        await context.control.checkpoint()
        try:
            well = await reads_well(context, row)
        except OSError as err:
            await asyncio.to_thread(context.archive.check)
            raise os_error(err, context.archive.root) from err
        if not well:
            raise reads_wrong(context.targets, ARCHIVE)
    await release(context, ARCHIVE, "sample_good")
