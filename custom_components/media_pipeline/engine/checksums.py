"""SHA-256, and the checksum that iCloud publishes for a file."""

import base64
import binascii
import hashlib
from pathlib import Path
from typing import Final

# base64(0x01 + SHA-1(these two salts + bytes)); found by comparing recorded full downloads with
# their records, independently confirmed by others (knowledge of November 2026).
_APPLE_SALT: Final = b"com.apple.XattrObjectSalt\0com.apple.DataObjectSalt\0"
_APPLE_SCHEME: Final = b"\x01"
_PIECE: Final = 1 << 20


class Digest:
    """SHA-256 and Apple's checksum of one stream, computed together."""

    def __init__(self, *, apple: bool = True) -> None:
        """``apple=False`` saves the SHA-1 where nobody asks for it."""
        self._sha256 = hashlib.sha256()
        self._sha1 = hashlib.sha1(_APPLE_SALT, usedforsecurity=False) if apple else None
        self.size = 0

    def update(self, data: bytes | memoryview) -> None:
        """Add the next bytes of the stream."""
        self._sha256.update(data)
        if self._sha1 is not None:
            self._sha1.update(data)
        self.size += len(data)

    @property
    def sha256(self) -> str:
        """Lower-case hex of all bytes so far."""
        return self._sha256.hexdigest()

    @property
    def apple(self) -> str:
        """Apple's ``fileChecksum`` of all bytes so far."""
        if self._sha1 is None:
            msg = "made without Apple's checksum"
            raise ValueError(msg)
        return base64.b64encode(_APPLE_SCHEME + self._sha1.digest()).decode()


def is_known_apple_scheme(checksum: str | None) -> bool:
    """True when ``checksum`` is of the kind that can be recomputed: 21 bytes, the first 0x01."""
    if not checksum:
        return False
    try:
        raw = base64.b64decode(checksum, validate=True)
    except binascii.Error, ValueError:
        return False
    return len(raw) == 21 and raw[:1] == _APPLE_SCHEME


def hash_file(path: Path, *, apple: bool = False) -> Digest:
    """Read a file in pieces of 1 MiB. Blocking; OSError as the file system says it."""
    digest = Digest(apple=apple)
    with path.open("rb", buffering=0) as file:
        buffer = bytearray(_PIECE)
        view = memoryview(buffer)
        while count := file.readinto(buffer):
            digest.update(view[:count])
    return digest
