"""Telling a phone's media library of new files. Imports asyncssh: load it off the loop.

Termux's commands hang for ever when the app Termux:API is missing, so everything has a time limit,
there and here; no answer is not an error.
"""

import asyncio
import logging
from collections.abc import Sequence
from enum import StrEnum
from itertools import batched
from shlex import quote
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncssh

_LOGGER: Final = logging.getLogger(__name__)
_MORE_SECONDS: Final = 5
_BATCH: Final = 100
_NOT_FOUND: Final = 127
_TIMED_OUT: Final = frozenset({124, 137})


class Scan(StrEnum):
    """How telling the phone went."""

    DONE = "done"
    HUNG = "hung"
    """Most likely the app Termux:API is missing, or may not run in the background."""
    MISSING = "missing"
    """There is no such command: the package termux-api is not installed."""
    FAILED = "failed"


async def scan_files(
    conn: asyncssh.SSHClientConnection, root: str, paths: Sequence[str], seconds: float
) -> Scan:
    """Scan files below ``root``, many with one command. The first that goes wrong ends it."""
    for batch in batched(paths, _BATCH, strict=False):
        outcome = await _scan(conn, root, batch, seconds)
        if outcome is not Scan.DONE:
            _LOGGER.warning("the phone was not told of %d new files: %s", len(paths), outcome)
            return outcome
    return Scan.DONE


async def _scan(
    conn: asyncssh.SSHClientConnection, root: str, paths: Sequence[str], seconds: float
) -> Scan:
    import asyncssh

    # the media library knows files by their real paths, and DCIM is a link in Termux
    names = " ".join(f'"$here"/{quote(path)}' for path in paths)
    script = (
        f"cd {quote(root)} && here=$(pwd -P) && command -v termux-media-scan >/dev/null"
        f" || exit {_NOT_FOUND}; "
        f"if command -v timeout >/dev/null; then timeout -k 2 {seconds:.0f}"
        f" termux-media-scan {names}; else termux-media-scan {names}; fi"
    )
    try:
        async with asyncio.timeout(seconds + _MORE_SECONDS):
            done = await conn.run(f"sh -c {quote(script)}", input="\n", check=False)
    except TimeoutError:
        return Scan.HUNG
    except (asyncssh.Error, OSError) as err:
        _LOGGER.debug("no scan: %s", err)
        return Scan.FAILED
    if done.exit_status == 0:
        return Scan.DONE
    if done.exit_status == _NOT_FOUND:
        return Scan.MISSING
    return Scan.HUNG if done.exit_status in _TIMED_OUT else Scan.FAILED
