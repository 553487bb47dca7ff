"""A local file on its way to a target: read and hashed in threads, handed out in chunks."""

import asyncio
import hashlib
import os
import threading
from pathlib import Path
from typing import Final, Self

from ..errors import FileVanished, SourceFileChanged

_PIECE: Final = 1 << 20


class SourceReader:
    """Use as a context manager. Raises FileVanished when the file can't be read."""

    def __init__(self, source: Path, chunk: int, *, hashed: bool = True) -> None:
        """``chunk`` bytes are handed out at a time; read at a time is about 1 MiB or more.

        Not ``hashed`` is for what will be hashed where it arrives; ``check`` then sees the size.
        """
        self._source = source
        self._chunk = chunk
        self._at_once = max(1, _PIECE // chunk) * chunk
        self._fd = -1
        self._piece = b""
        self._at = 0
        self._turn = asyncio.Lock()
        self._in_use = threading.Lock()
        self._digest = hashlib.sha256()
        self._hashed = hashed
        self._ended = False
        self.count = 0
        """Bytes handed out or skipped."""

    async def __aenter__(self) -> Self:
        try:
            self._fd = await asyncio.to_thread(os.open, self._source, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as err:
            raise self._vanished(err) from err
        return self

    async def skip(self, size: int) -> str:
        """Pass over the first bytes, before any were handed out; returns their SHA-256."""
        while self.count < size:
            try:
                count = await asyncio.to_thread(self._skip, min(_PIECE, size - self.count))
            except OSError as err:
                raise self._vanished(err) from err
            if not count:
                break
            self.count += count
        return self._digest.hexdigest()

    async def next(self) -> tuple[int, bytes] | None:
        """The next chunk and where it belongs; None at the end."""
        async with self._turn:
            if self._at >= len(self._piece) and not self._ended:
                try:
                    self._piece = await asyncio.to_thread(self._read, self._at_once, self._hashed)
                except OSError as err:
                    raise self._vanished(err) from err
                self._at, self._ended = 0, not self._piece
            if self._ended:
                return None
            data = self._piece[self._at : self._at + self._chunk]  # no copy when it is all of it
            self._at += len(data)
            offset, self.count = self.count, self.count + len(data)
            return offset, data

    def check(self, size: int, sha256: str) -> None:
        """At the end: raise SourceFileChanged unless the file had these bytes."""
        if self.count != size or (self._hashed and self._digest.hexdigest() != sha256):
            raise SourceFileChanged(
                f"{self._source} changed since it was proven", path=str(self._source)
            )

    def _skip(self, size: int) -> int:
        return len(self._read(size, True))

    def _read(self, size: int, hashed: bool) -> bytes:
        with self._in_use:
            piece = os.read(self._fd, size) if self._fd >= 0 else b""
            if hashed:
                self._digest.update(piece)
        return piece

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        with self._in_use:  # a cancelled caller's read may still be going on in its thread
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def _vanished(self, err: OSError) -> FileVanished:
        return FileVanished(f"{self._source}: {err}", path=str(self._source))
