"""When something that failed is tried again, and when it is put aside."""

from dataclasses import dataclass
from typing import Final

from ..clock import DAY, SECOND, now_ms

# Seconds until the next try, by number of failed tries; afterwards once a week.
BACK_OFF: Final = (1, 4, 60, 600, 3600)
_LONGEST_UNCOUNTED: Final = 3
QUARANTINE_AFTER: Final = 4
RETRY_QUARANTINED: Final = 7 * DAY
NEVER: Final = 1 << 53
"""A time that does not come."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something failed, and what that means for the next try."""

    key: str
    final: bool
    """True when trying again soon is pointless: straight to quarantine."""
    counts: bool
    """True when enough failures of this kind lead to quarantine (not for a broken network)."""
    tries: int | None = None
    """How often it failed like this lately, for kinds that do not count."""
    forever: bool = False
    """True when only a person may say that it is tried again."""


def next_try(attempts: int, failure: Failure) -> tuple[bool, int]:
    """(quarantined, time of the next try) after ``attempts`` failures."""
    if failure.forever:
        return True, NEVER
    if failure.final or (failure.counts and attempts >= QUARANTINE_AFTER):
        return True, now_ms() + RETRY_QUARANTINED
    if failure.tries is not None:  # what everything suffers from must not keep one thing waiting
        attempts = min(failure.tries, _LONGEST_UNCOUNTED)
    wait = BACK_OFF[min(attempts, len(BACK_OFF)) - 1]
    return False, now_ms() + wait * SECOND
