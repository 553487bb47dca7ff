"""Many small results, one transaction: each of them costs as much as a dozen results."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import Connection

from .database import Catalog

_WAIT: Final = 0.2
"""Seconds that a result waits for others."""


class Gathered[Item]:
    """Whoever has a result waits a moment longer; the others are at work meanwhile."""

    def __init__(
        self,
        catalog: Catalog,
        work: Callable[[Connection, Sequence[Item]], None],
        before: Callable[[Sequence[Item]], None],
    ) -> None:
        """``work`` writes some results in one transaction, after ``before`` (blocking) is done."""
        self._catalog, self._work, self._before = catalog, work, before
        self._waiting: list[tuple[Item, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def write(self, item: Item) -> None:
        """Returns when the result is written. Raises CatalogUnusable and what ``before`` raises."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        # who is cancelled here does not take the result of others along
        await asyncio.shield(future)

    async def finish(self) -> None:
        """Return when all that was handed in is written, also what nobody waits for any more."""
        if self._writing is not None:
            await asyncio.wait((self._writing,))

    async def _write(self) -> None:
        while self._waiting:
            await asyncio.sleep(_WAIT)
            batch, self._waiting = self._waiting, []
            items = [item for item, _ in batch]
            [answer] = await asyncio.gather(self._settle(items), return_exceptions=True)
            for _, future in batch:
                if answer is None:
                    future.set_result(None)
                else:
                    future.set_exception(answer)
                    future.exception()  # seen, also when nobody waits any more
        self._writing = None

    async def _settle(self, items: Sequence[Item]) -> None:
        await asyncio.to_thread(self._before, items)
        await self._catalog.write(self._work, items)
