"""A token bucket: how long to wait so that a number of bytes per second is kept."""

from time import monotonic
from typing import Final

_BURST_SECONDS: Final = 0.25


class Bucket:
    """Says the times and waits for nobody."""

    def __init__(self, bytes_per_second: int | None) -> None:
        """None is no limit."""
        self.rate = bytes_per_second
        self._free_at = monotonic()
        """When everything that was taken so far will have been worth its time."""

    def take(self, size: int) -> float:
        """Count bytes that came or go; how many seconds to wait for them."""
        if self.rate is None:
            return 0.0
        now = monotonic()
        # a pause may be made up for, but not more than a moment of it
        self._free_at = max(self._free_at, now - _BURST_SECONDS) + size / self.rate
        return max(0.0, self._free_at - now)
