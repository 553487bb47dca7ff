"""Reading what archived files say of themselves: part of compress, because children do it."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from ..catalog import media_info
from ..errors import FileVanished
from ..model import Stage
from .base import StageContext

_BATCH: Final = 25


async def probe_all(context: StageContext) -> None:
    """Look at every archived file that was not looked at, also while ingest goes on.

    Raises TargetUnavailableError kinds when the archive is not there, and CatalogUnusable.
    """
    gone: set[int] = set()
    while True:
        await context.control.checkpoint()
        expecting = Stage.INGEST in context.running
        rows = await context.catalog.read(media_info.to_probe, _BATCH, gone)
        if rows:
            gone |= await _probe(context, rows)
        elif not expecting:
            return
        else:
            await context.control.wait_for_work(1.0)


async def _probe(context: StageContext, rows: Sequence[Any]) -> set[int]:
    """Read some files; returns those that were not there, which the archive's proof will notice."""
    # a vanished mount must not look like files that say nothing
    await asyncio.to_thread(context.archive.check)
    results = await context.media.probe_many([context.archive.path_of(row.path) for row in rows])
    found = list(zip(rows, results, strict=True))
    await context.catalog.write(
        media_info.probed,
        [
            (row, result.key if isinstance(result, Exception) else result)
            for row, result in found
            if not isinstance(result, FileVanished)
        ],
    )
    return {row.id for row, result in found if isinstance(result, FileVanished)}
