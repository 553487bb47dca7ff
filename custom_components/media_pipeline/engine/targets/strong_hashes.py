"""Which hashes of another side count as evidence, and the same hashes of our own files.

SHA-256 is compared directly. For a side that knows only others, our own file is read once: its
SHA-256 must be the one expected, then its other hash must equal the other side's. MD5 and SHA-1
are broken against somebody who builds two files with one hash; nobody here does, and to find
another file for a given hash is out of reach for both. What can collide by accident or is linear (CRC-32,
xxHash, OneDrive's QuickXor) never counts, and size alone never does.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final, Protocol

_DROPBOX_BLOCK: Final = 4 << 20


class Hasher(Protocol):
    """What hashlib's objects can do, as far as it is needed here."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes in."""
        ...

    def hexdigest(self) -> str:
        """The hash of all bytes, lower-case hex."""
        ...


class DropboxHasher:
    """Dropbox's content hash: the SHA-256 of the SHA-256s of all blocks of 4 MiB.

    https://www.dropbox.com/developers/reference/content-hash
    """

    def __init__(self) -> None:
        """Nothing read yet."""
        self._whole = hashlib.sha256()
        self._block = hashlib.sha256()
        self._room = _DROPBOX_BLOCK

    def update(self, data: bytes, /) -> None:
        """Take more bytes in."""
        view = memoryview(data)
        while view:
            piece, view = view[: self._room], view[self._room :]
            self._block.update(piece)
            self._room -= len(piece)
            if not self._room:
                self._whole.update(self._block.digest())
                self._block, self._room = hashlib.sha256(), _DROPBOX_BLOCK

    def hexdigest(self) -> str:
        """The hash of all bytes, lower-case hex."""
        whole = self._whole.copy()
        if self._room < _DROPBOX_BLOCK:
            whole.update(self._block.digest())
        return whole.hexdigest()


HASHERS: Final[dict[str, Callable[[], Hasher]]] = {
    "sha256": hashlib.sha256,
    "dropbox": DropboxHasher,
    "sha1": hashlib.sha1,
    "md5": hashlib.md5,
}
"""By the names that rclone uses; the strongest first."""


def strongest(names: Sequence[str]) -> str | None:
    """The best hash among those another side knows; None when none of them counts."""
    return next((name for name in HASHERS if name in names), None)
