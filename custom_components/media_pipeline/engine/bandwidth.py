"""A limit on bytes per second that several transfers share."""

import asyncio
from time import monotonic
from typing import Final

_BURST_SECONDS: Final = 0.25


class Bandwidth:
    """A token bucket; use it on one event loop."""

    def __init__(self, bytes_per_second: int | None) -> None:
        """None is no limit."""
        self._rate = bytes_per_second
        self._free_at = monotonic()
        """When everything that was taken so far will have been worth its time."""

    async def take(self, size: int) -> None:
        """Wait until ``size`` bytes that came or go are within the limit.

        Who waits holds up only its own transfer; the bytes were counted before, so that others see
        them at once.
        """
        if self._rate is None:
            return
        now = monotonic()
        # a pause may be made up for, but not more than a moment of it
        self._free_at = max(self._free_at, now - _BURST_SECONDS) + size / self._rate
        if self._free_at > now:
            await asyncio.sleep(self._free_at - now)
