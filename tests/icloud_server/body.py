"""Bytes of a resource without holding them: a head, a repeated block, a tail.

Everything before the tail is shared by many assets, so its SHA-1 state is computed once.
"""

import base64
import hashlib
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Protocol

SALT = b"com.apple.XattrObjectSalt\0com.apple.DataObjectSalt\0"
STEP = 262_144


class _Hash(Protocol):
    def update(self, data: bytes | memoryview, /) -> None: ...
    def copy(self) -> _Hash: ...
    def digest(self) -> bytes: ...


_prefixes: dict[Hashable, _Hash] = {}


@dataclass(frozen=True, slots=True)
class Body:
    """A resource that can be read from any offset."""

    head: bytes
    block: bytes = b""
    fill: int = 0
    tail: bytes = b""
    family: Hashable = None

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self.head) + self.fill + len(self.tail)

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """The bytes from `start` to `stop`, in pieces of up to 256 KiB."""
        end = self.size if stop is None else min(stop, self.size)
        fill_from = len(self.head)
        tail_from = fill_from + self.fill
        head, block, tail = memoryview(self.head), memoryview(self.block), memoryview(self.tail)
        while start < end:
            if start < fill_from:
                piece = head[start : min(end, start + STEP)]
            elif start < tail_from:
                at = (start - fill_from) % len(block)
                piece = block[at : at + min(STEP, end - start, tail_from - start)]
            else:
                piece = tail[start - tail_from : min(end - tail_from, start - tail_from + STEP)]
            start += len(piece)
            yield piece

    def read(self) -> bytes:
        """All bytes at once."""
        return b"".join(self.chunks())

    def checksum(self) -> str:
        """Apple's `fileChecksum`."""
        state = _prefixes.get(self.family) if self.family is not None else None
        if state is None:
            state = hashlib.sha1(SALT, usedforsecurity=False)
            for piece in self.chunks(0, len(self.head) + self.fill):
                state.update(piece)
            if self.family is not None:
                _prefixes[self.family] = state
        whole = state.copy()
        whole.update(self.tail)
        return base64.b64encode(b"\x01" + whole.digest()).decode()
