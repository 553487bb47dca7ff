"""Full walks and the change feed, as pages that can be stored and resumed.

Cursor values: ``walk`` is ``full`` during a full walk; ``walk:<library>`` is how far the listing of
a library came; ``token:<library>`` and ``db``/``db:shared`` are tokens of the change feed.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Final

from ...errors import CursorRejected, SourceBadAnswer
from ...model import ChangePage
from .client import PhotosClient, Zone
from .listing import DONE, Listing, Position
from .pairing import Paired, Pairing

_LOGGER = logging.getLogger(__name__)
_STUCK: Final = 20
"""Pages without a record and without a new token before the feed counts as broken."""

type Pages = AsyncGenerator[ChangePage]


class Walk:
    """One walk over the chosen libraries."""

    def __init__(
        self, client: PhotosClient, zones: Sequence[Zone], cursor: Mapping[str, str]
    ) -> None:
        self._client = client
        self._zones = zones
        self._cursor = {key: value for key, value in cursor.items() if value}
        self._pairing = Pairing(client)
        self._careful: set[str] = set()

    async def pages(self) -> Pages:
        """What changed; everything when there is no cursor or the feed no longer knows it."""
        if self._known and "walk" not in self._cursor:
            try:
                async for page in self._since():
                    yield page
                return
            except CursorRejected:
                _LOGGER.info("iCloud no longer knows where we stood; reading the whole library")
                self._cursor.clear()
        try:
            async for page in self._full():
                yield page
        except CursorRejected:
            self._cursor.clear()
            async for page in self._full():
                yield page

    @property
    def _known(self) -> bool:
        return any(f"token:{zone.name}" in self._cursor for zone in self._zones)

    def _stored(self, page: ChangePage) -> ChangePage:
        for key, value in page.cursor.items():
            if value:
                self._cursor[key] = value
            else:
                self._cursor.pop(key, None)
        return page

    # --- everything -------------------------------------------------------------------------------

    async def _full(self) -> Pages:
        if "walk" not in self._cursor:
            start = {"walk": "full"}
            for shared in self._databases:
                start[_database_key(shared=shared)] = (await self._database("", shared=shared))[0]
            for zone in self._zones:
                start |= {f"token:{zone.name}": "", f"walk:{zone.name}": str(Position(""))}
            yield self._stored(ChangePage(cursor=start, started_walk=True))
        for zone in self._zones:
            async for page in self._list(zone):
                yield page
        for zone in self._zones:
            async for page in self._settle(zone):
                yield page
        cleared = {"walk": "", **{f"walk:{zone.name}": "" for zone in self._zones}}
        yield self._stored(ChangePage(cursor=cleared, complete_walk=True))

    async def _list(self, zone: Zone) -> Pages:
        value = self._cursor.get(f"walk:{zone.name}", "")
        if value == DONE:
            return
        token = self._cursor.get(f"token:{zone.name}", "")
        listing = Listing(self._client, self._pairing, zone)
        async for page in listing.pages(Position(value), token):
            yield self._stored(page)

    async def _settle(self, zone: Zone) -> Pages:
        """What changed since the listing began; when assets went away meanwhile, list again."""
        while True:
            async for page in self._changes(zone):
                yield page
            if self._cursor.get(f"walk:{zone.name}", DONE) == DONE:
                return
            _LOGGER.info("%s changed while it was listed; listing it with care", zone.name)
            async for page in self._list(zone):
                yield page

    # --- changes ----------------------------------------------------------------------------------

    async def _since(self) -> Pages:
        tokens: dict[str, str] = {}
        changed: set[str] = set()
        for shared in self._databases:
            key = _database_key(shared=shared)
            try:
                token, names = await self._database(self._cursor.get(key, ""), shared=shared)
            except CursorRejected:
                token, names = await self._database("", shared=shared)
            tokens[key] = token
            changed |= names
        for zone in self._zones:
            walked = f"walk:{zone.name}" in self._cursor
            if walked or f"token:{zone.name}" not in self._cursor:
                async for page in self._list(zone):  # a library that was chosen later
                    yield page
                async for page in self._settle(zone):
                    yield page
                yield self._stored(ChangePage(cursor={f"walk:{zone.name}": ""}))
            elif zone.name in changed:
                async for page in self._changes(zone):
                    yield page
        if any(self._cursor.get(key) != token for key, token in tokens.items()):
            yield self._stored(ChangePage(cursor=tokens))

    async def _changes(self, zone: Zone) -> Pages:
        token, stuck = self._cursor.get(f"token:{zone.name}", ""), 0
        if not token:
            return
        while True:
            page = await self._client.zone_changes(zone, token)
            paired = await self._pairing.pair(zone, page.records)
            moved = page.token is not None and page.token != token
            token = page.token or token
            yield self._stored(
                paired.page({f"token:{zone.name}": token, **self._again(zone, paired)})
            )
            if not page.more:
                return
            stuck = 0 if moved else stuck + 1
            if stuck >= _STUCK:
                raise SourceBadAnswer(f"the change feed of {zone.name} does not move on")

    def _again(self, zone: Zone, paired: Paired) -> dict[str, str]:
        """The cursor that lists a library again, when what went away may have hidden others."""
        went = paired.gone or any(asset.trashed or asset.hidden for asset in paired.assets)
        if not went or self._cursor.get(f"walk:{zone.name}") != DONE:
            return {}
        if zone.name in self._careful:
            return {}  # done with care already
        self._careful.add(zone.name)
        return {f"walk:{zone.name}": str(Position("", careful=True))}

    @property
    def _databases(self) -> list[bool]:
        return sorted({zone.shared for zone in self._zones})

    async def _database(self, token: str, *, shared: bool) -> tuple[str, set[str]]:
        """The database's token now, and the names of the zones that changed since ``token``."""
        names: set[str] = set()
        for _ in range(100):
            page = await self._client.database_changes(token or None, shared=shared)
            for zone in page.records:
                identifier = zone.get("zoneID")
                if isinstance(identifier, Mapping):
                    names.add(str(identifier.get("zoneName")))
            token = page.token or token
            if not page.more:
                return token, names
        raise SourceBadAnswer("changes/database does not end")


async def ahead(pages: Pages) -> Pages:
    """Ask for the next page while the caller stores this one."""

    async def following() -> ChangePage | None:
        return await anext(pages, None)

    task = asyncio.create_task(following())
    try:
        while (page := await task) is not None:
            task = asyncio.create_task(following())
            yield page
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await pages.aclose()


def _database_key(*, shared: bool) -> str:
    return "db:shared" if shared else "db"
