"""What may be under way to one target at the same time, and how fast it may go."""

import asyncio
from typing import Final

from ..bandwidth import Bandwidth

MAX_CHUNK: Final = 255 << 10
_TOTAL_WINDOW: Final = 16 << 20


class Budget:
    """Bounds the memory of all transfers of one target: at most 16 MiB under way."""

    def __init__(self, bandwidth: int | None = None) -> None:
        """``bandwidth`` is in bytes per second; None is no limit.

        Sized for the biggest chunks; servers with small ones get as many requests.
        """
        self._slots = asyncio.Semaphore(_TOTAL_WINDOW // MAX_CHUNK)
        self._bandwidth = Bandwidth(bandwidth)

    async def __aenter__(self) -> None:
        await self._slots.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._slots.release()

    async def sent(self, size: int) -> None:
        """Wait until so many bytes, sent just now, are within the limit."""
        await self._bandwidth.take(size)
