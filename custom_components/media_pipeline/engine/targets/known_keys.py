"""The keys by which a server may show itself: the confirmed one, and what it proved to have, too.

A server that is about to change its key says so beforehand, over a connection that is proven by the
old one (OpenSSH's ``hostkeys-00``). What it announces and proves is remembered, so the change asks
nobody; a key that was never announced still stops the target. What a server no longer announces is
forgotten, whether it is the confirmed key or not.
"""

import base64
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, Protocol, runtime_checkable

_LOGGER: Final = logging.getLogger(__name__)
_MOST: Final = 16
"""A server has a handful."""


class KnownKeys:
    """All connections of one target share it. Keys are lines in OpenSSH's format."""

    def __init__(self, pinned: str, remembered: str | None = None) -> None:
        """``pinned`` is what a person confirmed; ``remembered`` an earlier ``text``, or None.

        What was remembered for another confirmed key says nothing.
        """
        self._pinned = clean(pinned)
        self.lines: tuple[str, ...] = (self._pinned,)
        """The first is the one that was shown last."""
        self.on_change: Callable[[], Awaitable[None]] | None = None
        self.void = remembered is not None
        """True when what was remembered is of no use: it belongs to another confirmed key."""
        with suppress(ValueError, TypeError, KeyError):
            stored = json.loads(remembered or "")
            if stored["pinned"] == self._pinned and stored["known"]:
                self.lines = tuple(clean(line) for line in stored["known"])
                self.void = False

    @property
    def text(self) -> str:
        """To be remembered: the keys, and for which confirmed one."""
        return json.dumps({"pinned": self._pinned, "known": self.lines})

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Of all keys that name this server, the one shown last first, the confirmed one too."""
        lines = dict.fromkeys((*self.lines, self._pinned))
        return tuple(fingerprint(line) for line in lines)

    async def shown(self, line: str) -> None:
        """A server that proved to be ours did so with this key."""
        if (line := clean(line)) != self.lines[0]:
            await self._become((line, *self.lines))

    async def announced(self, current: str, others: Sequence[str]) -> None:
        """Over a connection proven by ``current`` the server proved to have ``others`` as well."""
        await self._become((current, *others))

    async def _become(self, lines: Sequence[str]) -> None:
        before = self.lines
        self.lines = tuple(dict.fromkeys(map(clean, lines)))[:_MOST]
        if self.lines[0] != before[0]:
            _LOGGER.info(
                "A server shows another of the host keys that it announced: %s instead of %s",
                fingerprint(self.lines[0]),
                fingerprint(before[0]),
            )
        changed = self.lines[0] != before[0] or set(self.lines) != set(before)
        if changed and self.on_change is not None:
            await self.on_change()


@runtime_checkable
class KnowsServer(Protocol):
    """A target whose server is known by keys that may change."""

    known_keys: KnownKeys


def clean(line: str) -> str:
    """A key's line without its comment."""
    return " ".join(line.split()[:2])


def fingerprint(line: str) -> str:
    """``SHA256:...``, as ``ssh-keygen -l`` prints it; "?" for what is no key."""
    try:
        digest = hashlib.sha256(base64.b64decode(line.split()[1], validate=True)).digest()
    except ValueError, IndexError:
        return "?"
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
