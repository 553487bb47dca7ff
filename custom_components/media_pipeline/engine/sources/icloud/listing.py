"""Walk the indexes of a library, each from its newest asset to its oldest, then the albums.

Ranks move while assets come and go. What comes is listed twice at worst; what goes would hide
others. So a walk that was disturbed (the change feed says so, see walk.py) is done again with care:
every page overlaps the one before, and when the overlap is not there, the walk steps back until it
finds what it knew.
"""

import logging
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from ...errors import SourceBadAnswer
from ...model import ChangePage
from .albums import AlbumListing
from .client import DELETED, HIDDEN, LIBRARY, Page, PhotosClient, Zone
from .fields import DESIRED_KEYS
from .pairing import Pairing
from .records import ASSET
from .values import text_of

_LOGGER = logging.getLogger(__name__)
BURSTS: Final = "CPLBurstStackAssetAndMasterByAssetDate"
"""The library shows of each burst what was picked; here is all of it."""
INDEXES: Final = (LIBRARY, HIDDEN, DELETED, BURSTS)
_ALBUMS: Final = len(INDEXES)
DONE: Final = "done"
ROLL_KEYS: Final = ("masterRef", "isDeleted", "isHidden")
# With an error code, not by an answer that makes no sense.
_REFUSED_BY_NAME: Final = re.compile(r"HTTP \d+ [A-Z]+_")
_OVERLAP: Final = 2
_TAIL: Final = 4
_STEP_BACK: Final = 50


class Position:
    """Where a walk stands, as a cursor value: index number, rank, names of the last assets.

    Behind the index number a ``c`` says that the walk is done with care, a ``b`` that there are
    bursts. The number behind the last index means the albums, and the name is the last one that was
    listed.
    """

    def __init__(self, text: str, *, careful: bool = False) -> None:
        parts = text.split(":", 2)
        self.bursts = "b" in parts[0]
        self.careful = careful or "c" in parts[0]
        number = parts[0].rstrip("bc")
        self.index = int(number) if number.isdecimal() else 0
        self.rank = int(parts[1]) if len(parts) > 1 and parts[1].isdecimal() else 0
        self.tail = tuple(parts[2].split(",")) if len(parts) > 2 and parts[2] else ()

    def __str__(self) -> str:
        return (
            f"{self.index}{'c' * self.careful}{'b' * self.bursts}:{self.rank}:{','.join(self.tail)}"
        )

    def next_index(self) -> None:
        """Go on with the next index; nobody is asked for bursts when none was seen."""
        self.index, self.rank, self.tail = self.index + 1, 0, ()
        if self.index < _ALBUMS and INDEXES[self.index] == BURSTS and not self.bursts:
            self.index += 1


class Listing:
    """One library's full listing: the library, hidden assets, Recently Deleted, bursts, albums."""

    def __init__(self, client: PhotosClient, pairing: Pairing, zone: Zone) -> None:
        self._client, self._pairing, self._zone = client, pairing, zone
        self._keys: Sequence[str] = DESIRED_KEYS

    async def pages(self, position: Position, token: str) -> AsyncGenerator[ChangePage]:
        """From ``position`` on; the first page stores the feed's token unless one is stored."""
        name = self._zone.name
        while position.index < _ALBUMS:
            page = await self._page(position)
            if not token and page.token:
                token = page.token
            paired = await self._pairing.pair(self._zone, page.records)
            if any(asset.details.burst_id for asset in paired.assets):
                position.bursts = True
            if not page.more:
                position.next_index()
            yield paired.page({f"token:{name}": token, f"walk:{name}": str(position)})
        after = position.tail[0] if position.tail else ""
        async for changes, reached in AlbumListing(self._client, self._zone).pages(after):
            position.tail = (reached,) if reached else ()
            yield ChangePage(albums=changes, cursor={f"walk:{name}": str(position)})
        yield ChangePage(cursor={f"walk:{name}": DONE})

    async def roll(self) -> AsyncGenerator[Sequence[Mapping[str, Any]]]:
        """Every record of every index, with as few fields as there can be: names and tags."""
        self._keys = ROLL_KEYS
        position = Position("", careful=True)
        while position.index < _ALBUMS:
            page = await self._page(position)
            if not page.more:
                position.next_index()
            yield page.records

    async def _page(self, position: Position) -> Page:
        """The next page, with ``position`` behind it."""
        index = INDEXES[position.index]
        overlap = _OVERLAP if position.careful else 0
        start, step = max(position.rank - overlap, 0), _STEP_BACK
        while True:
            try:
                page = await self._client.listed(self._zone, index, start, keys=self._keys)
            except SourceBadAnswer as error:
                if index == LIBRARY or not _REFUSED_BY_NAME.match(error.detail):
                    raise
                _LOGGER.debug("%s has no %s: %s", self._zone.name, index, error)
                return Page([], None, more=False)  # shared libraries do not have all indexes
            names = [
                name
                for record in page.records
                if record.get("recordType") == ASSET
                and (name := text_of(record.get("recordName"))) is not None
            ]
            known = not position.tail or not set(position.tail).isdisjoint(names)
            if known or start == 0 or not position.careful:
                break
            start, step = max(start - step, 0), step * 2
        if not page.records and index == LIBRARY:  # a whole library is not empty on one word
            page = await self._client.page(self._zone, index, start)
            if page.records:
                return await self._page(position)
        if not page.records:
            return replace(page, more=False)
        position.rank = max(start + (len(names) or len(page.records)), 1)
        if page.more and set(names) <= set(position.tail):
            position.rank, position.tail = position.rank + overlap, ()  # nothing new: no overlap
        else:
            position.tail = tuple(name for name in names[-_TAIL:] if "," not in name)
        return page
