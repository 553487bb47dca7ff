"""A local file on its way to a target: read in threads, hashed while it is read."""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ..bandwidth import Bandwidth
from ..errors import FileVanished, PipelineError, SourceFileChanged
from .strong_hashes import HASHERS

_PIECE: Final = 1 << 20


class Outgoing:
    """One pass over a local file that must have ``size`` bytes, and ``sha256`` if it is told."""

    def __init__(
        self,
        source: Path,
        size: int,
        sha256: str | None,
        *,
        mtime: float = 0.0,
        also: str | None = None,
        limit: Bandwidth | None = None,
        on_bytes: Callable[[int], None] | None = None,
    ) -> None:
        """``also`` names another hash (see ``strong_hashes``) to be made on the way."""
        self.source = source
        self.size = size
        self.sha256 = sha256
        self.mtime = mtime
        self.digests: dict[str, str] = {}
        """Every hash by its name, once the file was read to its end."""
        self._error: PipelineError | None = None
        self._hashers = {name: HASHERS[name]() for name in {"sha256", also or "sha256"}}
        self._limit = limit
        self._on_bytes = on_bytes
        self._fd = -1
        self._in_use = threading.Lock()

    def moved(self, count: int) -> None:
        """Report that so many bytes went on."""
        if self._on_bytes is not None and count > 0:
            self._on_bytes(count)

    async def pieces(self) -> AsyncGenerator[bytes]:
        """The bytes, to be sent. Raises FileVanished, SourceFileChanged."""
        async for piece in self._read_all():
            # before, not after: a server that was told the length answers after the last piece, and
            # then nobody waits for us any more
            if self._limit is not None:
                await self._limit.take(len(piece))
            yield piece
            self.moved(len(piece))

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Around sending ``pieces``: why reading ended early is raised, where it did.

        HTTP libraries hide the reason behind an error of their own.
        """
        try:
            yield
        except PipelineError:
            if self._error is not None:
                raise self._error from None
            raise

    async def check(self) -> None:
        """Only read and hash, when somebody else sends. Raises FileVanished, SourceFileChanged."""
        async for _ in self._read_all():
            pass

    async def _read_all(self) -> AsyncGenerator[bytes]:
        """All pieces; the last one is held back until the whole file is known to be right.

        Otherwise a server that was told the length could take a wrong file for whole, and say so
        before we notice.
        """
        count, held = 0, b""
        try:
            self._fd = await asyncio.to_thread(os.open, self.source, os.O_RDONLY | os.O_CLOEXEC)
            while piece := await asyncio.to_thread(self._read):
                count += len(piece)
                if count > self.size:
                    break
                if held:
                    yield held
                held = piece
            digests = {name: hasher.hexdigest() for name, hasher in self._hashers.items()}
            if count != self.size or self.sha256 not in {None, digests["sha256"]}:
                self._error = SourceFileChanged(
                    f"{self.source} changed since it was proven", path=str(self.source)
                )
                raise self._error
            self.digests = digests
            if held:
                yield held
        except OSError as err:
            self._error = FileVanished(f"{self.source}: {err}", path=str(self.source))
            raise self._error from err
        finally:
            await asyncio.to_thread(self._close)

    def _read(self) -> bytes:
        with self._in_use:
            piece = os.read(self._fd, _PIECE) if self._fd >= 0 else b""
            for hasher in self._hashers.values():
                hasher.update(piece)
        return piece

    def _close(self) -> None:
        with self._in_use:  # a cancelled caller's read may still be going on in its thread
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1
