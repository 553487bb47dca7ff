"""The current time in the catalog's unit."""

import time

SECOND = 1000
DAY = 24 * 3600 * SECOND


def now_ms() -> int:
    """Milliseconds since 1970 (UTC)."""
    return time.time_ns() // 1_000_000
