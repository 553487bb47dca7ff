"""A limit on bytes per second that several transfers share."""

import asyncio

from .bucket import Bucket


class Bandwidth:
    """A token bucket; use it on one event loop."""

    def __init__(self, bytes_per_second: int | None) -> None:
        """None is no limit."""
        self.rate = bytes_per_second
        self._bucket = Bucket(bytes_per_second)

    async def take(self, size: int) -> None:
        """Wait until ``size`` bytes that came or go are within the limit.

        Who waits holds up only its own transfer; the bytes were counted before, so that others see
        them at once.
        """
        if wait := self._bucket.take(size):
            await asyncio.sleep(wait)
