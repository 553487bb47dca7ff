"""Many small results, one transaction: what comes while one is written waits for the next."""

import asyncio
from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from .database import Catalog


class Gathered[Item]:
    """Adds no delay: the first result is written at once, those that come meanwhile together."""

    def __init__(
        self, catalog: Catalog, work: Callable[[Connection, Sequence[Item]], None]
    ) -> None:
        """``work`` writes some results in one transaction."""
        self._catalog, self._work = catalog, work
        self._waiting: list[tuple[Item, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def write(self, item: Item) -> None:
        """Returns when the result is written. Raises CatalogUnusable."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        # who is cancelled here does not take the result of others along
        await asyncio.shield(future)

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            items = [item for item, _ in batch]
            [answer] = await asyncio.gather(
                self._catalog.write(self._work, items), return_exceptions=True
            )
            for _, future in batch:
                if answer is None:
                    future.set_result(None)
                else:
                    future.set_exception(answer)
                    future.exception()  # seen, also when nobody waits any more
        self._writing = None
