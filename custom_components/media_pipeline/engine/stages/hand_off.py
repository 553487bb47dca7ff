"""Handing a file over: begun once, whatever happens meanwhile, and written down."""

import asyncio
import hashlib
import logging
import os
from pathlib import Path
from typing import Any, Protocol, runtime_checkable
from weakref import WeakValueDictionary

from ..catalog import copy_results, hand_off
from ..config import TargetConfig
from ..errors import OutcomeUnknown, PipelineError
from ..home import Item
from ..targets.base import Delivery, Target
from .base import StageContext, failure_of, stops_stage

_LOGGER = logging.getLogger(__name__)
_GRACE = 5.0
"""Seconds that a hand-off under way gets when the run is stopped."""


@runtime_checkable
class TakesItems(Protocol):
    """A target that takes a file with all that is known of it, instead of a path."""

    async def turn(self) -> None:
        """Wait until the next one may be handed over."""
        ...

    async def hand_over(self, item: Item) -> None:
        """Returns when it was taken. Raises OutcomeUnknown when nobody can tell."""
        ...


class Turns:
    """Files with the same bytes are handed over one after the other, so the second one is seen."""

    def __init__(self) -> None:
        """Nothing is under way."""
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    def of(self, target_id: str, sha256: str) -> asyncio.Lock:
        """To be held while a file with these bytes is handed over."""
        return self._locks.setdefault((target_id, sha256), asyncio.Lock())


async def prepare(context: StageContext, config: TargetConfig) -> None:
    """Put aside what an earlier run began and nobody knows the end of.

    It may have arrived: only a person who looked there can say whether it is to be sent again.
    """
    count = await context.catalog.write(hand_off.put_unknown_aside, config.target_id)
    if count:
        _LOGGER.warning("how %d hand-offs ended is not known: they were put aside", count)


async def hand_over(
    context: StageContext,
    config: TargetConfig,
    target: Target,
    row: Any,
    source: Path,
    place: str,
    stat: os.stat_result,
) -> Delivery:
    """Hand one archived file (a row of the queue) over. Raises what the target raises."""
    sha1 = await asyncio.to_thread(_sha1_of, source)
    await context.catalog.write(hand_off.keep_sha1, row.id, sha1)
    if not isinstance(target, TakesItems):
        return await target.deliver(
            source,
            place,
            size=row.size,
            sha256=row.sha256,
            mtime=stat.st_mtime,
            on_bytes=context.progress.moved,
        )
    item = await context.catalog.read(hand_off.item_of, row.id, source)
    await target.turn()
    await context.control.checkpoint()
    await context.catalog.write(copy_results.copy_handing, row.id, config.target_id)
    task = asyncio.ensure_future(target.hand_over(item))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await _end_well(context, config, row, task)
        raise
    except PipelineError as err:
        if stops_stage(err):  # it is not this file's fault: it waits as before
            await context.catalog.write(copy_results.copy_not_handed, row.id, config.target_id)
        raise
    context.progress.moved(row.size)
    return Delivery(place, row.size)


async def _end_well(
    context: StageContext, config: TargetConfig, row: Any, task: asyncio.Task[None]
) -> None:
    """The run is stopped in the middle of a hand-off: write down how it ended, if it does."""
    await asyncio.wait([task], timeout=_GRACE)
    if not task.done():
        task.cancel()
        return
    error = task.exception()
    if error is None:
        await context.catalog.write(
            copy_results.copy_delivered,
            row.id,
            config.target_id,
            path=row.path,
            size=row.size,
            sha256=row.sha256,
        )
    elif isinstance(error, Exception) and not isinstance(error, OutcomeUnknown):
        await context.catalog.write(
            copy_results.copy_failed, row.id, config.target_id, failure_of(error)
        )


def _sha1_of(path: Path) -> str:
    """By which others ask whether somebody has a photo; nothing here trusts it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.sha1(usedforsecurity=False)).hexdigest()
