"""Bytes of a file by position, read through a small window.

Not ``mmap``: when a network share breaks or a file shrinks, touching mapped bytes ends the whole
process with a signal, while a read raises an OSError that costs one file.
"""

import re
import zlib
from collections.abc import Iterator
from typing import IO, Any

from ..errors import BrokenContainer

_LEAST = 1 << 12
_WINDOW = 1 << 16
_CHUNK = 1 << 18


class Data:
    """Random access to an open file; memory stays at one window, or one chunk while searching.

    ``known`` keeps what a walk through the whole file found, for whoever needs it next.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.known: dict[str, Any] = {}
        self._file = file
        self._size = file.seek(0, 2)
        self._start = 0
        self._window = b""
        self._ahead = _LEAST

    def __len__(self) -> int:
        return self._size

    def read(self, start: int, size: int) -> bytes:
        """Return the bytes from ``start``, fewer than ``size`` at the end of the file."""
        at = start - self._start
        if at < 0 or at + size > len(self._window):
            # who goes on where the window ends wants more of it; who jumps wants a few numbers
            goes_on = 0 <= at <= len(self._window)
            self._ahead = min(self._ahead * 4, _WINDOW) if goes_on else _LEAST
            self._file.seek(start)
            self._window = self._file.read(max(size, self._ahead))
            self._start, at = start, 0
        return self._window[at : at + size]

    def number(self, start: int, size: int, *, big: bool = True) -> int:
        """Read an unsigned integer of ``size`` bytes; BrokenContainer when the file ends before."""
        raw = self.read(start, size)
        if len(raw) < size:
            raise BrokenContainer(f"ends at {self._size} inside a number at {start}")
        return int.from_bytes(raw, "big" if big else "little")

    def search(self, pattern: re.Pattern[bytes], start: int, width: int) -> int | None:
        """Return where ``pattern`` (``width`` bytes long) first matches from ``start`` on."""
        tail = b""
        for at, chunk in self._chunks(start, self._size):
            # what lies across the border first, so that the chunk need not be copied
            if tail and (found := pattern.search(tail + chunk[: width - 1])):
                return at - len(tail) + found.start()
            if found := pattern.search(chunk):
                return at + found.start()
            tail = (tail + chunk[1 - width :])[1 - width :] if width > 1 else b""
        return None

    def crc32(self, start: int, end: int) -> int:
        """Return the checksum that PNG uses of the bytes between two positions."""
        value = 0
        for _, chunk in self._chunks(start, end):
            value = zlib.crc32(chunk, value)
        return value

    def _chunks(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        size = _WINDOW  # small at first: most searches end soon
        while start < end and (chunk := self.read(start, min(size, end - start))):
            yield start, chunk
            start += len(chunk)
            size = _CHUNK
