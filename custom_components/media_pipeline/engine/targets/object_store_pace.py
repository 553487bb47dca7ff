"""How much is under way at a time, and how long a request may take: by what the line showed.

A home's uplink of 8 Mbit/s needs eight seconds for a part. Twelve parts at once with thirty seconds
each, as object store clients are made for, never arrive there.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

MEMORY: Final = 32 << 20
"""Bytes of files that may be held in memory in one direction, whatever is under way."""
_FIRST: Final = 2
"""Requests at a time to begin with."""
_QUICK: Final = 3.0
_SLOW: Final = 20.0
"""Seconds: requests that end sooner make room for one more at a time, later ones for one less."""
_SLACK: Final = 4.0
_FIRST_TIMEOUT: Final = 300.0
_SHORTEST: Final = 60.0
_LONGEST: Final = 1800.0


class Pace:
    """For one target, on one event loop."""

    def __init__(self, most: int) -> None:
        """``most`` files are sent at a time, at most."""
        self._most = max(1, most)
        self.limit = min(_FIRST, self._most)
        self.rate: float | None = None
        """Bytes per second of all requests together, as measured."""
        self.timeout = _FIRST_TIMEOUT
        self._busy = 0
        self._memory = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def place(self, memory: int) -> AsyncIterator[None]:
        """Wait for one of the places and so many bytes of memory, first come, first served."""
        memory = min(memory, MEMORY)
        if self._waiting or not self._fits(memory):
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append((memory, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():  # given at the same moment
                    self._leave(memory)
                elif (memory, turn) in self._waiting:
                    self._waiting.remove((memory, turn))
                self._admit()
                raise
        else:
            self._enter(memory)
        try:
            yield
        finally:
            self._leave(memory)

    def arrived(self, size: int, seconds: float, parts: int = 1) -> None:
        """``parts`` requests, one after the other, brought ``size`` bytes over."""
        if size >= 1 << 16:
            measured = size / max(seconds, 0.001) * max(1, self._busy)
            self.rate = measured if self.rate is None else 0.7 * self.rate + 0.3 * measured
            self.timeout = min(_LONGEST, max(_SHORTEST, _SLACK * MEMORY / self.rate))
        seconds /= parts
        if seconds < _QUICK:
            self.limit = min(self._most, self.limit + 1)
        elif seconds > _SLOW:
            self.limit = max(1, self.limit - 1)
        self._admit()

    def failed(self, *, timed_out: bool) -> None:
        """A request came to nothing: fewer at a time, and more time when it was that."""
        self.limit = max(1, self.limit // 2)
        if timed_out:
            self.timeout = min(_LONGEST, self.timeout * 2)

    def _fits(self, memory: int) -> bool:
        return self._busy < self.limit and (not self._busy or self._memory + memory <= MEMORY)

    def _enter(self, memory: int) -> None:
        self._busy += 1
        self._memory += memory

    def _leave(self, memory: int) -> None:
        self._busy -= 1
        self._memory -= memory
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            memory, turn = self._waiting.popleft()
            if not turn.done():
                self._enter(memory)
                turn.set_result(None)
