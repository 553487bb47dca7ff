"""Asking the catalog for work in pieces: one question costs as much as a hundred answers."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from time import monotonic
from typing import Final

from ..clock import now_ms

_AHEAD: Final = 256
# Rows older than this are asked for anew: what the catalog says of them may have changed.
_STALE_SECONDS: Final = 5.0
# After a question that took a second, the next one waits for this many.
_REST: Final = 4.0


class Queue[T]:
    """What may be done next, a few rows ahead of those in work."""

    def __init__(
        self, fetch: Callable[[int, int, Collection[int]], Awaitable[Sequence[T]]]
    ) -> None:
        """``fetch(now, limit, skip)`` asks the catalog."""
        self._fetch = fetch
        self._rows: list[T] = []
        self._asked = self._next = 0.0

    async def take(self, room: int, in_work: Collection[int]) -> list[T] | None:
        """Up to ``room`` rows; None when it is too early to ask again."""
        began = monotonic()
        if began - self._asked > _STALE_SECONDS:
            self._rows.clear()
        if not self._rows:
            if began < self._next:
                return None
            self._rows = list(await self._fetch(now_ms(), max(room, _AHEAD), list(in_work)))
            self._asked = monotonic()
            self._next = self._asked + _REST * (self._asked - began)
        taken, self._rows = self._rows[:room], self._rows[room:]
        return taken

    async def anything_by(self, when: int) -> bool:
        """True when there will be something to do at ``when``."""
        return bool(await self._fetch(when, 1, ()))

    async def rest(self) -> None:
        """Wait until it is time to ask again."""
        await asyncio.sleep(max(0.0, self._next - monotonic()))
