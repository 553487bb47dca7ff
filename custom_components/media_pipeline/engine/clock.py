"""The current time in the catalog's unit."""

import time

SECOND = 1000
HOUR = 3600 * SECOND
DAY = 24 * HOUR


def now_ms() -> int:
    """Milliseconds since 1970 (UTC)."""
    return time.time_ns() // 1_000_000
