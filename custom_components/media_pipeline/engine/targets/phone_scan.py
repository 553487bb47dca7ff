"""Telling a phone's media library of files. Imports asyncssh: load it off the loop.

Termux's commands hang for ever when the app Termux:API is missing, and ``am`` says its errors with
status 0. So everything has a time limit, there and here, what is printed is read, and what one way
can't do the next one may; no answer is not an error.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from shlex import quote
from typing import TYPE_CHECKING, Final
from urllib.parse import quote as percent_encode

from ..errors import PhoneNotTold, ScanHung, ScanMissing

if TYPE_CHECKING:
    import asyncssh

_LOGGER: Final = logging.getLogger(__name__)
_MORE_SECONDS: Final = 5
_NOT_FOUND: Final = 127
_TIMED_OUT: Final = frozenset({124, 137})
_LIMIT: Final = (
    'limit=; command -v timeout >/dev/null && limit="timeout -k 2 {seconds:.0f}"; '
    "command -v {program} >/dev/null || exit 127; "
)
# without --user Android asks for a right that no app has; both of the words that tell of success
# have a blank, which no encoded name in the same output can have
_BROADCASTS: Final = (
    "for uri in {uris}; do said=$($limit am broadcast --user 0"
    ' -a android.intent.action.MEDIA_SCANNER_SCAN_FILE -d "$uri" 2>&1 </dev/null); '
    "case $? in 124|137) exit 124;; esac; "
    'case $said in *"Broadcast completed"*|*"Broadcast sent"*) echo yes;; *) echo no;; esac; done'
)


class Way(StrEnum):
    """How a phone is told, the best first."""

    TERMUX = "termux_media_scan"
    BROADCAST = "am_broadcast"


class Wrong(StrEnum):
    """Why one way does not work."""

    HUNG = "hung"
    """Most likely the app Termux:API is missing, or may not run in the background."""
    MISSING = "missing"
    """There is no such command: the package termux-api is not installed."""
    FAILED = "failed"


_BATCH: Final = {Way.TERMUX: 100, Way.BROADCAST: 20}
"""Files for one command. ``am`` takes about a second for each."""
_ERRORS: Final[dict[Wrong, type[PhoneNotTold]]] = {
    Wrong.HUNG: ScanHung,
    Wrong.MISSING: ScanMissing,
    Wrong.FAILED: PhoneNotTold,
}


@dataclass(frozen=True, slots=True)
class Told:
    """How telling a phone went."""

    paths: tuple[str, ...]
    """Files that it was told of."""
    way: Way | None
    """What worked, last; None when nothing did."""
    wrong: Wrong | None
    """What ``termux-media-scan`` did instead of its work; None when it did that."""

    def check(self) -> None:
        """Raise a PhoneNotTold when nothing works."""
        if self.way is None and self.wrong is not None:
            raise _ERRORS[self.wrong](f"termux-media-scan: {self.wrong}, and no broadcast works")


class Teller:
    """Tells one phone over one connection, and remembers what does not work there.

    A way that hung would otherwise cost its time limit for each batch.
    """

    def __init__(self, conn: asyncssh.SSHClientConnection, root: str, seconds: float) -> None:
        """Files lie below ``root``; ``seconds`` is the limit for one command."""
        self.conn = conn
        self._root = root
        self._seconds = seconds
        self._given_up: dict[Way, Wrong] = {}

    async def tell(self, paths: Sequence[str]) -> Told:
        """Have the media library look at files below the root. Raises nothing."""
        if len(self._given_up) == len(Way):
            self._given_up.clear()  # nothing worked: perhaps somebody mended it meanwhile
        told: list[str] = []
        used: Way | None = None
        left = list(paths)
        # the media library knows files by their real paths, and DCIM is a link in Termux
        status, here = await self._run(f"cd {quote(self._root)} && pwd -P")
        if status != 0 or not here.startswith("/"):
            return Told((), None, Wrong.HUNG if status is None else Wrong.FAILED)
        here = here.rstrip("\n").rstrip("/")
        while left and (way := self._next_way()) is not None:
            batch = left[: _BATCH[way]]
            ask = self._scan if way is Way.TERMUX else self._broadcast
            known, looked_at, wrong = await ask(here, batch)
            told += known
            left = left[looked_at:]
            if known:
                used = way
            if wrong is not None:
                self._given_up[way] = wrong
                _LOGGER.warning("telling the phone of new files: %s %s", way, wrong)
        if len(told) < len(paths):
            _LOGGER.warning("the phone was not told of %d files", len(paths) - len(told))
        return Told(tuple(told), used, self._given_up.get(Way.TERMUX))

    def _next_way(self) -> Way | None:
        return next((way for way in Way if way not in self._given_up), None)

    async def _scan(
        self, here: str, paths: Sequence[str]
    ) -> tuple[Sequence[str], int, Wrong | None]:
        """One command for all: which it knows now, how many are done with, what went wrong."""
        names = " ".join(quote(f"{here}/{path}") for path in paths)
        start = _LIMIT.format(seconds=self._seconds, program="termux-media-scan")
        status, _ = await self._run(f"{start}$limit termux-media-scan {names}")
        if status == 0:
            return paths, len(paths), None
        return (), 0, _wrong(status)

    async def _broadcast(
        self, here: str, paths: Sequence[str]
    ) -> tuple[Sequence[str], int, Wrong | None]:
        """One broadcast for each; as ``_scan``. What was refused is done with as well."""
        uris = " ".join(quote(f"file://{percent_encode(f'{here}/{path}')}") for path in paths)
        start = _LIMIT.format(seconds=self._seconds, program="am")
        status, said = await self._run(start + _BROADCASTS.format(uris=uris))
        answers = said.split()
        known = [path for path, answer in zip(paths, answers, strict=False) if answer == "yes"]
        if status is None and known:
            return known, len(answers), None  # it is only slow
        if status == 0:
            return known, len(paths), None if known else Wrong.FAILED
        return known, len(answers), _wrong(status)

    async def _run(self, script: str) -> tuple[int | None, str]:
        """The exit status (None: it did not end in time) and what was printed until then."""
        import asyncssh

        try:
            async with asyncio.timeout(self._seconds + _MORE_SECONDS):
                process = await self.conn.create_process(f"sh -c {quote(script)}")
        except TimeoutError:
            return None, ""
        except (asyncssh.Error, OSError) as err:
            _LOGGER.debug("no command: %s", err)
            return -1, ""
        try:
            process.stdin.write_eof()
            done = await process.wait(timeout=self._seconds + _MORE_SECONDS)
        except asyncssh.TimeoutError as err:
            return None, str(err.stdout or "")
        except (asyncssh.Error, OSError) as err:
            _LOGGER.debug("the command broke off: %s", err)
            return -1, ""
        finally:
            process.close()  # a command that hangs keeps its channel, and a server has ten
        return done.exit_status if done.exit_status is not None else -1, str(done.stdout or "")


def _wrong(status: int | None) -> Wrong:
    if status is None or status in _TIMED_OUT:
        return Wrong.HUNG
    return Wrong.MISSING if status == _NOT_FOUND else Wrong.FAILED
