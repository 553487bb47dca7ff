"""Is what we know what the source has? A light look once a day, a full one on request or monthly.

The light look asks for Apple's own count of each library, one request. The full one lists every
asset by name and change tag only, reads those that we lack or know otherwise, and looks up those
that were not listed. What differs after that has a reason that a full look can't find (records that
can't be read, a count that lags behind), so it is kept as explained and not held up to anybody.
"""

import logging
from functools import partial
from uuid import uuid4

from ..catalog import census
from ..catalog.assets import keys_not_seen
from ..catalog.store import get_values, set_values, write_journal
from ..clock import DAY, now_ms
from ..model import LibraryCensus, Stage
from .base import StageContext, patiently
from .ingest import look_up

_LOGGER = logging.getLogger(__name__)
_LIGHT_EVERY = DAY
_FULL_EVERY = 30 * DAY
_TIMES = "reconcile/"
_LOOK_UP = 200


async def scheduled(context: StageContext) -> None:
    """At the end of a listing: what is due. Costs no request when nothing is."""
    if not context.source.can_free:
        return  # a folder is walked as a whole each time
    now = now_ms()
    times = await context.catalog.read(get_values, _TIMES)
    full = int(times.get("full", 0))
    if not full:  # the first listing was a full look
        await context.catalog.write(set_values, _TIMES, {"full": str(now)})
    elif now - full >= _FULL_EVERY:
        await _full(context)
        return
    if now - int(times.get("light", 0)) >= _LIGHT_EVERY:
        await _compare(context, explained=False)


class Reconcile:
    """The full look, as a run of its own."""

    stage = Stage.INGEST

    def __init__(self, actor: str | None) -> None:
        """``actor`` asked for it."""
        self._actor = actor
        self.found = 0
        """Assets that were unknown, changed or gone unnoticed."""

    async def run(self, context: StageContext) -> None:
        """Raises what the source raises."""
        await patiently(context, context.source.open)
        self.found = await _full(context)
        await context.catalog.write(
            write_journal, "reconciled", actor=self._actor, detail={"found": self.found}
        )


async def _full(context: StageContext) -> int:
    walk_id = uuid4().hex[:12]
    found = 0
    async for tags in context.source.roll():
        unlike = await context.catalog.read(census.unlike, tags)
        for start in range(0, len(unlike), _LOOK_UP):
            part = unlike[start : start + _LOOK_UP]
            await patiently(context, partial(look_up, context, part))
        await context.catalog.write(census.mark_seen, list(tags), walk_id)
        found += len(unlike)
        context.control.announce()
        await context.control.checkpoint()
    before = await context.catalog.read(keys_not_seen, walk_id)
    for start in range(0, len(before), _LOOK_UP):
        part = before[start : start + _LOOK_UP]
        await patiently(context, partial(look_up, context, part))
    after = set(await context.catalog.read(keys_not_seen, walk_id))
    found += sum(key not in after for key in before)
    await context.catalog.write(set_values, _TIMES, {"full": str(now_ms())})
    await _compare(context, explained=True)
    _LOGGER.info("a full look at the source found %d assets that were not known so", found)
    return found


async def _compare(context: StageContext, *, explained: bool) -> None:
    counts = await patiently(context, context.source.counts)
    now = now_ms()
    ours = await context.catalog.read(census.shown, list(counts))
    old = await context.catalog.read(census.last)
    fresh: dict[str, LibraryCensus] = {}
    for library, theirs in counts.items():
        difference = theirs - ours[library]
        known = old.get(library)
        accepted = difference if explained else known.explained if known else 0
        odd = difference not in {0, accepted}
        times = (known.times if known else 0) + 1 if odd else 0
        fresh[library] = LibraryCensus(now, ours[library], theirs, accepted, times)
        if odd:
            _LOGGER.warning("a library shows %d assets, the catalog %d", theirs, ours[library])
    await context.catalog.write(census.keep, fresh)
    await context.catalog.write(set_values, _TIMES, {"light": str(now)})
