"""An iCloud photo library as a source."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from itertools import batched
from typing import TYPE_CHECKING, Any, Final

from ...config import ICloudSourceConfig
from ...errors import CodeRequired, SourceAccessDenied, SourceBadAnswer, ThrottledError
from ...fetching.order import Order, Proof
from ...fetching.pool import Fetchers
from ...fetching.traffic import Traffic
from ...model import AssetRecord, ChangePage, FreeResult, Usage
from ..base import Download, FreeRequest
from .answers import item_error
from .client import CAP, PhotosClient, Zone
from .freeing import Freeing
from .listing import Listing
from .pairing import Pairing
from .records import ASSET, is_gone
from .session import PRIMARY, ICloudSession, SignInState
from .values import text_of
from .walk import Walk, ahead

if TYPE_CHECKING:
    from .download import Downloads

_GONE: Final = frozenset({"NOT_FOUND", "UNKNOWN_ITEM"})


class ICloudSource:
    """Pages, bytes and freeing over one account's session."""

    kind = "icloud"
    can_free = True

    def __init__(self, config: ICloudSourceConfig, session: ICloudSession) -> None:
        self.session = session
        self._config = config
        self._client = PhotosClient(session)
        self._downloads: Downloads | None = None
        self._fetchers = Fetchers(self._stream)
        self._zones: dict[str, Zone] | None = None

    async def open(self) -> None:
        """Sign in. Raises CodeRequired and what ICloudSession.sign_in raises."""
        if await self.session.sign_in() is not SignInState.SIGNED_IN:
            raise CodeRequired

    async def close(self) -> None:
        """Let go of connections and of the session's thread."""
        await self._fetchers.close()
        if self._downloads is not None:
            await self._downloads.close()
        await self.session.close()

    async def _libraries(self) -> dict[str, Zone]:
        """The chosen libraries that the account can see; asks only when there are shared ones."""
        if self._zones is None:
            zones = {name: Zone(name) for name in self._config.libraries if name == PRIMARY}
            for shared in (False, True):
                missing = [name for name in self._config.libraries if name not in zones]
                known = await self._known(shared=shared) if missing else {}
                zones |= {
                    name: Zone(name, shared, known[name]) for name in missing if name in known
                }
            self._zones = zones
        if not self._zones:
            raise SourceAccessDenied("none of the chosen libraries is there")
        return self._zones

    async def _known(self, *, shared: bool) -> dict[str, dict[str, Any]]:
        try:
            return await self.session.zones(shared=shared)
        except SourceBadAnswer, SourceAccessDenied:
            if not shared:
                raise
            return {}  # an account that takes part in nothing may have no shared database

    async def walk(self, cursor: Mapping[str, str]) -> AsyncIterator[ChangePage]:
        """What changed since ``cursor`` (see walk.py for its values)."""
        walk = Walk(self._client, list((await self._libraries()).values()), cursor)
        try:
            async with aclosing(ahead(walk.pages())) as pages:
                async for page in pages:
                    yield page
        except SourceBadAnswer:
            self._zones = None  # a library may have gone; look again next time
            raise

    async def lookup(
        self, keys: Sequence[str], *, urgent: bool = False
    ) -> dict[str, AssetRecord | None]:
        """Fresh records, two requests for every 200 keys; keys without an answer are left out.

        Nothing is taken for gone on one word: what is not there is asked for once more.
        """
        found: dict[str, AssetRecord | None] = {}
        zones = await self._libraries()
        for name, names in by_library(keys).items():
            zone = zones.get(name)
            if zone is None:
                continue
            pairing = Pairing(self._client, urgent=urgent)
            for batch in batched(names, CAP, strict=False):
                records = await self._client.lookup(zone, batch, urgent=urgent)
                if absent := _absent(name, records):
                    names_again = [key.partition("/")[2] for key in absent]
                    again = await self._client.lookup(zone, names_again, urgent=urgent)
                    found |= dict.fromkeys(_absent(name, again))
                    records = [*records, *again]
                paired = await pairing.pair(
                    zone, [record for record in records if record.get("recordType") == ASSET]
                )
                found |= dict.fromkeys(paired.gone)
                found |= {asset.key: asset for asset in paired.assets}
        return found

    def fetch(self, url: str, offset: int = 0) -> AbstractAsyncContextManager[Download]:
        """Open the bytes behind a download address; not while their hosts want us slow."""
        return self._fetch(url, offset)

    @asynccontextmanager
    async def _fetch(self, url: str, offset: int) -> AsyncIterator[Download]:
        async with self._paced(), self._stream(url, offset) as download:
            yield download

    def _stream(self, url: str, offset: int) -> AbstractAsyncContextManager[Download]:
        """Within this process. Most runs never need it, nor the time that its library loads."""
        if self._downloads is None:
            from .download import Downloads

            self._downloads = Downloads()
        return self._downloads.fetch(url, offset)

    async def save(self, order: Order, traffic: Traffic) -> Proof:
        """In a child process; not while the hosts of the bytes want us slow."""
        async with self._paced():
            return await self._fetchers.save(order, traffic)

    async def rest(self) -> None:
        """End the child processes; the next download starts new ones."""
        await self._fetchers.close()

    @asynccontextmanager
    async def _paced(self) -> AsyncIterator[None]:
        pacer = self.session.content_pacer
        pacer.check()
        try:
            yield
        except ThrottledError as error:
            raise await asyncio.to_thread(pacer.slow_down, error) from error
        if pacer.troubled:
            await asyncio.to_thread(pacer.went_well)

    @property
    def throttled_until(self) -> float | None:
        """Until when Apple wants to be asked nothing, in seconds since 1970; None when it is free.

        Downloads are not counted: their hosts say so for themselves.
        """
        return self.session.pacer.until

    async def free(self, requests: Sequence[FreeRequest]) -> list[FreeResult]:
        """Move assets to Recently Deleted; every answer is checked against a fresh look."""
        freeing = Freeing(self._client, await self._libraries())
        return await freeing.free(requests)

    async def restore(self, keys: Sequence[str]) -> list[FreeResult]:
        """Bring assets back from Recently Deleted."""
        freeing = Freeing(self._client, await self._libraries())
        return await freeing.restore(keys)

    async def count(self) -> int | None:
        """Assets in the chosen libraries; hidden and deleted ones are not counted."""
        counts = await self.counts()
        return sum(counts.values()) if len(counts) == len(await self._libraries()) else None

    async def counts(self) -> dict[str, int]:
        """Library → assets that it shows, by Apple's own count; one request for each library."""
        counts: dict[str, int] = {}
        for name, zone in (await self._libraries()).items():
            number = await self._client.count(zone)
            if number is not None:
                counts[name] = number
        return counts

    async def roll(self) -> AsyncIterator[dict[str, str]]:
        """Every asset of the chosen libraries with its change tag, in small pages."""
        for zone in (await self._libraries()).values():
            listing = Listing(self._client, Pairing(self._client), zone)
            async for records in listing.roll():
                yield {
                    f"{zone.name}/{name}": text_of(record.get("recordChangeTag")) or ""
                    for record in records
                    if record.get("recordType") == ASSET
                    and (name := text_of(record.get("recordName"))) is not None
                    and text_of(record.get("serverErrorCode")) is None
                }

    async def usage(self) -> Usage | None:
        """The account's storage."""
        return await self.session.usage()


def by_library(keys: Sequence[str]) -> dict[str, list[str]]:
    """Keys ``<library>/<record name>`` → record names by library."""
    names: dict[str, list[str]] = {}
    for key in dict.fromkeys(keys):
        library, _, name = key.partition("/")
        names.setdefault(library, []).append(name)
    return names


def _absent(library: str, records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Keys of error items that say an asset is gone. Raises what stops a whole lookup."""
    absent: list[str] = []
    for record in records:
        error = item_error(record)
        name = text_of(record.get("recordName"))
        if record.get("serverErrorCode") in _GONE and name is not None:
            absent.append(f"{library}/{name}")
        elif error is not None and error.key != "source_bad_answer":
            raise error
        elif is_gone(record) and name is not None:
            absent.append(f"{library}/{name}")
    return absent
