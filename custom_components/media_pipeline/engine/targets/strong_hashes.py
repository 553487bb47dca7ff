"""Which hashes of another side count as evidence, and the same hashes of our own files.

Only a hash that the other side computes from the bytes it holds, when it is asked, tells anything
about them. SHA-256 is compared directly. For a side that knows only others, our own file is read
once: its SHA-256 must be the one expected, then its other hash must equal the other side's. MD5 and
SHA-1 are broken against somebody who builds two files with one hash; nobody here does, and to find
another file for a given hash is out of reach for both. What can collide by accident or is linear
(CRC-32, xxHash, OneDrive's QuickXor) never counts, and size alone never does.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final, Protocol


class Hasher(Protocol):
    """What hashlib's objects can do, as far as it is needed here."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes in."""
        ...

    def hexdigest(self) -> str:
        """The hash of all bytes, lower-case hex."""
        ...


HASHERS: Final[dict[str, Callable[[], Hasher]]] = {
    "sha256": hashlib.sha256,
    "sha1": hashlib.sha1,
    "md5": hashlib.md5,
}
"""By the names that rclone uses; the strongest first."""


def strongest(names: Sequence[str]) -> str | None:
    """The best hash among those another side knows; None when none of them counts."""
    return next((name for name in HASHERS if name in names), None)
