"""Moving a file's bytes over SFTP, many requests at a time. Imports asyncssh: load it off the loop.

The library's own ``put`` and ``get`` read and write local files on the event loop; this does not.
"""

import asyncio
import hashlib
import os
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Final, cast

import asyncssh

from ..errors import FileVanished, SourceFileChanged, TargetUnreachable
from .sftp_session import SftpSession
from .tasks import run_together

_MAX_CHUNK: Final = 255 << 10
_FILE_WINDOW: Final = 8 << 20
_TOTAL_WINDOW: Final = 16 << 20
_PIECE: Final = 1 << 20


class Budget:
    """Bounds the memory of all transfers of one target: at most 16 MiB under way."""

    def __init__(self) -> None:
        """Sized for the biggest chunks; servers with small ones get as many requests."""
        self._slots = asyncio.Semaphore(_TOTAL_WINDOW // _MAX_CHUNK)

    async def __aenter__(self) -> None:
        await self._slots.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._slots.release()


class _SourceReader:
    """Hands out a local file in chunks, read and hashed in threads in pieces of 1 MiB."""

    def __init__(self, source: Path, chunk: int) -> None:
        self._source = source
        self._chunk = chunk
        self._fd = -1
        self._piece = memoryview(b"")
        self._turn = asyncio.Lock()
        self._in_use = threading.Lock()
        self._digest = hashlib.sha256()
        self._ended = False
        self.count = 0

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    async def open(self) -> None:
        try:
            self._fd = await asyncio.to_thread(os.open, self._source, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as err:
            raise FileVanished(f"{self._source}: {err}", path=str(self._source)) from err

    async def next(self) -> tuple[int, bytes] | None:
        """The next chunk and where it belongs; None at the end."""
        async with self._turn:
            if not self._piece and not self._ended:
                try:
                    piece = await asyncio.to_thread(self._read)
                except OSError as err:
                    raise FileVanished(f"{self._source}: {err}", path=str(self._source)) from err
                self._piece = memoryview(piece)
                self._ended = not piece
            if self._ended:
                return None
            data = bytes(self._piece[: self._chunk])
            self._piece = self._piece[self._chunk :]
            offset, self.count = self.count, self.count + len(data)
            return offset, data

    def _read(self) -> bytes:
        with self._in_use:
            piece = os.read(self._fd, _PIECE // self._chunk * self._chunk) if self._fd >= 0 else b""
            self._digest.update(piece)
        return piece

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        with self._in_use:  # a cancelled caller's read may still be going on in its thread
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1


async def upload(
    session: SftpSession,
    source: Path,
    part: str,
    *,
    size: int,
    sha256: str,
    budget: Budget,
    on_bytes: Callable[[int], None] | None = None,
) -> bool:
    """Write ``source`` to the new file ``part`` and flush it; True when the server really flushed.

    Raises SourceFileChanged, FileVanished or a ``TargetUnavailableError``; the part file is the
    caller's to remove.
    """
    try:
        async with session.errors(part):
            file = await session.sftp.open(session.absolute(part), "xb", encoding=None)
    except FileVanished as err:  # the folder went after we made it; the next try makes it again
        raise TargetUnreachable(err.detail, path=part) from err
    chunk = max(1024, min(file.write_len or _MAX_CHUNK, _MAX_CHUNK))
    reader = _SourceReader(source, chunk)

    async def send() -> None:
        while (piece := await reader.next()) is not None:
            offset, data = piece
            async with budget, session.errors(part, need=size):
                await file.write(data, offset)
            if on_bytes is not None:
                on_bytes(len(data))

    try:
        await reader.open()
        await run_together(send() for _ in range(_senders(size, chunk)))
        if reader.count != size or reader.sha256 != sha256:
            raise SourceFileChanged(f"{source} changed since it was proven", path=str(source))
        flushed = True
        async with session.errors(part, need=size):
            try:
                await file.fsync()
            except asyncssh.SFTPOpUnsupported, asyncssh.SFTPPermissionDenied:
                flushed = False
            await file.close()
        return flushed
    except BaseException:  # cancelled too: no file may stay open there
        if session.alive:
            with suppress(asyncssh.Error, OSError):
                async with asyncio.timeout(5):
                    await file.close()
        raise
    finally:
        await reader.close()


def _senders(size: int, chunk: int) -> int:
    most = max(16, min(_FILE_WINDOW // chunk, 64))
    return max(1, min(-(-size // chunk), most))


async def read_back(session: SftpSession, path: str, budget: Budget) -> tuple[str, int] | None:
    """SHA-256 and size of a file on the server, by reading it all; None without such a file."""
    digest, count = hashlib.sha256(), 0
    try:
        async for piece in read_pieces(session, path, budget):
            digest.update(piece)
            count += len(piece)
    except FileVanished:
        return None
    return digest.hexdigest(), count


async def read_pieces(session: SftpSession, path: str, budget: Budget) -> AsyncGenerator[bytes]:
    """The bytes of a file in order, many requests ahead. Raises FileVanished."""
    async with session.errors(path):
        file = await session.sftp.open(session.absolute(path), "rb", encoding=None)
    try:
        async with session.errors(path):
            total = (await file.stat()).size or 0
        chunk = max(1024, min(file.read_len or _MAX_CHUNK, _MAX_CHUNK))
        window = max(16, min(_FILE_WINDOW // chunk, 64))
        async with aclosing(_read_all(session, path, file, total, chunk, window, budget)) as pieces:
            async for piece in pieces:
                yield piece
    finally:
        if session.alive:
            with suppress(asyncssh.Error, OSError):
                async with asyncio.timeout(5):
                    await file.close()


async def _read_all(
    session: SftpSession,
    path: str,
    file: asyncssh.SFTPClientFile,
    total: int,
    chunk: int,
    window: int,
    budget: Budget,
) -> AsyncGenerator[bytes]:
    waiting: deque[asyncio.Task[bytes]] = deque()

    async def read_at(offset: int, length: int) -> bytes:
        """All of a range: servers may answer with less than was asked."""
        pieces = b""
        async with budget, session.errors(path):
            while len(pieces) < length:
                piece = await file.read(length - len(pieces), offset + len(pieces))
                if not piece:
                    break
                pieces += cast("bytes", piece)
        return pieces

    offset = 0
    try:
        while offset < total or waiting:
            while offset < total and len(waiting) < window:
                length = min(chunk, total - offset)
                waiting.append(asyncio.create_task(read_at(offset, length)))
                offset += length
            yield await waiting.popleft()
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
