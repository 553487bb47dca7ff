"""Fresh download addresses: many expired ones are looked up with one request."""

import asyncio
from collections.abc import Sequence

from ..catalog import work
from ..catalog.assets import mark_gone, store_assets
from ..catalog.database import Catalog
from ..clock import SECOND, now_ms
from ..errors import FileVanished, SourceBadAnswer
from ..model import AssetRecord, Role
from ..sources.base import Source

_GATHER = 0.05
_BATCH = 100
# an address is good for an hour; one that ends sooner than this is not worth starting with
_MARGIN = 120 * SECOND


class Addresses:
    """Looks assets up again for downloads whose address is missing or too old."""

    def __init__(self, source: Source, catalog: Catalog) -> None:
        """Shared by all downloads of a run."""
        self._source = source
        self._catalog = catalog
        self._waiting: dict[str, asyncio.Future[AssetRecord | None]] = {}
        self._task: asyncio.Task[None] | None = None
        self._ahead: dict[str, AssetRecord] = {}

    @staticmethod
    def is_fresh(url: str | None, expires: int | None) -> bool:
        """True when a download may be started with this address."""
        return url is not None and (expires is None or expires > now_ms() + _MARGIN)

    async def refresh(self, key: str, role: Role, refused: str | None = None) -> str | None:
        """A fresh address for one file of an asset; None when the asset is gone.

        ``refused`` is the address that was tried, when there was one: another one is wanted.
        Raises FileVanished when the asset is there and this file of it is not (an edit was taken
        back), SourceBadAnswer when the source said nothing of it, and what ``lookup`` raises.
        """
        if (known := self._ahead.get(key)) is not None:
            item = next((item for item in known.resources if item.role == role), None)
            if (
                item is not None
                and item.url != refused
                and self.is_fresh(item.url, item.url_expires)
            ):
                return item.url
        future = self._waiting.get(key)
        if future is None:
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._look_up())
        await asyncio.wait((future,))  # others wait for it too, whoever is cancelled
        record = future.result()
        if record is None or record.trashed:
            return None
        url = next((item.url for item in record.resources if item.role == role), None)
        if url is None:
            raise FileVanished(f"{key} has no {role} any more")
        return url

    async def close(self) -> None:
        """Stop looking; nobody waits any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _look_up(self) -> None:
        while self._waiting:
            await asyncio.sleep(_GATHER)
            keys = list(self._waiting)[:_BATCH]
            futures = {key: self._waiting.pop(key) for key in keys}
            try:
                keys += await self._next(keys)
                records = await self._source.lookup(keys)
                await self._store(keys, records)
                # those of the look-up before may still be wanted by what is in work
                before = dict(list(self._ahead.items())[-_BATCH:])
                self._ahead = before | {key: found for key in keys if (found := records.get(key))}
            except BaseException as err:  # nobody may wait for ever, also when we are cancelled
                for future in futures.values():
                    if not future.done():
                        future.set_exception(err)
                        future.exception()  # seen, also when nobody waits any more
                if not isinstance(err, Exception):
                    raise
                continue
            for key, future in futures.items():
                if future.done():
                    continue
                if key in records:
                    future.set_result(records[key])
                else:
                    future.set_exception(SourceBadAnswer(f"no answer for {key}"))
                    future.exception()

    async def _next(self, keys: Sequence[str]) -> list[str]:
        """What is fetched next and needs an address too: one request is enough for all of them."""
        now = now_ms()
        following = await self._catalog.read(work.without_address, now, now + _MARGIN, _BATCH)
        return [key for key in following if key not in keys][: _BATCH - len(keys)]

    async def _store(self, keys: Sequence[str], records: dict[str, AssetRecord | None]) -> None:
        found = [record for record in records.values() if record is not None]
        await self._catalog.write(store_assets, found)
        # a key that is missing from the answer is unknown, not gone
        gone = [key for key in keys if key in records and records[key] is None]
        if gone:
            await self._catalog.write(mark_gone, gone)
