"""When an account may be asked again, after Apple asked us to slow down. Survives restarts.

Nothing is slowed down in normal use. An answer that says "slow down" holds every request back for
as long as it says; where it doesn't, for a guess: a minute for the database, a few seconds for the
hosts of the bytes. It is twice as long each time it happens again, up to six hours, with some
jitter. The first requests afterwards are spaced; ten good answers in a row end that. Asking while
held costs no request, and is never a reason to sign in anew.
"""

import json
import logging
import random
import threading
import time
from pathlib import Path
from typing import Final

from ...errors import ThrottledError
from ...private_file import write_private
from ..http import LONGEST_WAIT

_LOGGER = logging.getLogger(__name__)
_LONGEST_BACK_OFF: Final = 6 * 3600.0
_JITTER: Final = 0.1
_GOOD_ANSWERS: Final = 10
_SMALLEST_GAP: Final = 0.25
_LARGEST_GAP: Final = 4.0
# A burst of answers to requests that were under way together is one trouble, not many.
_MOST_STRIKES: Final = 12


class Pacer:
    """Of one account, for one kind of request. Any thread may use it; saving blocks for a moment.

    Times are seconds since 1970, because they must make sense after a restart.
    """

    def __init__(self, file: Path) -> None:
        """``file`` keeps what must not be forgotten; it is read at the first question."""
        self._file = file
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._until = 0.0
        self._strikes = 0
        self._good = 0
        self._last = 0.0
        self._loaded = False

    @property
    def until(self) -> float | None:
        """Until when nothing may be asked; None when it may."""
        with self._lock:
            self._load()
            return self._until if self._until > time.time() else None

    def check(self) -> None:
        """Raise ThrottledError while held, without asking anybody."""
        until = self.until
        if until is not None:
            left = max(1.0, until - time.time())
            raise ThrottledError("held back since Apple asked to slow down", retry_after=left)

    def wait_turn(self) -> None:
        """Space requests after a trouble; returns at once when all is well. Blocking."""
        with self._lock:
            gap = 0.0
            if self._strikes:
                gap = min(_SMALLEST_GAP * 2 ** (self._strikes - 1), _LARGEST_GAP)
            now = time.monotonic()
            wait = max(0.0, self._last + gap - now)
            self._last = now + wait
        if wait:
            self._closed.wait(wait)

    def slow_down(self, error: ThrottledError) -> ThrottledError:
        """Apple asked for it; returns the error with the time that really applies. Blocking."""
        with self._lock:
            self._load()
            now = time.time()
            asked = min(max(error.retry_after, 1.0), LONGEST_WAIT)
            if self._until <= now:
                self._strikes = min(self._strikes + 1, _MOST_STRIKES)
            wait = asked
            if self._strikes > 1:
                grown = min(asked * 2 ** (self._strikes - 1), _LONGEST_BACK_OFF)
                wait = max(asked, grown) * (1 + random.uniform(0, _JITTER))
            left = max(wait, self._until - now)
            self._until = now + left
            self._good = 0
            self._save()
        _LOGGER.info("Apple asks to slow down (%s): nothing for %.0f s", error.detail, left)
        return ThrottledError(error.detail, retry_after=left)

    @property
    def troubled(self) -> bool:
        """True from the first "slow down" until ten good answers came."""
        return self._strikes > 0

    def went_well(self) -> None:
        """A good answer. Blocking for a moment when it is the one that ends a trouble."""
        if not self._strikes:
            return
        with self._lock:
            self._good += 1
            if self._good >= _GOOD_ANSWERS:
                self._strikes = self._good = 0
                self._save()

    def close(self) -> None:
        """Nobody needs to wait any more."""
        self._closed.set()

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        try:
            kept = json.loads(self._file.read_text(encoding="utf-8"))
            until, strikes = float(kept["until"]), int(kept["strikes"])
        except OSError, ValueError, TypeError, LookupError:
            return
        # a clock that was wrong when this was written must not hold us back for years
        if until <= time.time() + LONGEST_WAIT * (1 + _JITTER):
            self._until, self._strikes = until, min(max(strikes, 0), _MOST_STRIKES)

    def _save(self) -> None:
        content = json.dumps({"until": self._until, "strikes": self._strikes})
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_private(self._file, content.encode())
        except OSError as err:
            _LOGGER.warning("how long to wait for Apple is not kept: %s", err.strerror)
