"""Moving a file's bytes over SFTP, many requests at a time. Imports asyncssh: load it off the loop.

The library's own ``put`` and ``get`` read and write local files on the event loop; this does not.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from typing import Final, cast

import asyncssh

from ..errors import FileVanished
from .budget import MAX_CHUNK, Budget
from .sftp_session import SftpSession
from .source_reader import SourceReader
from .tasks import run_together

_FILE_WINDOW: Final = 8 << 20


async def upload(
    session: SftpSession,
    files: Sequence[asyncssh.SFTPClientFile],
    part: str,
    reader: SourceReader,
    *,
    size: int,
    budget: Budget,
    on_bytes: Callable[[int], None] | None = None,
) -> None:
    """Write all that ``reader`` still has into the open file ``part``, many requests at a time.

    ``files`` is that file, opened on each channel that may be used; ``size`` is how many bytes
    that should be. Raises FileVanished (the local file) or a ``TargetUnavailableError``.
    """

    async def send(file: asyncssh.SFTPClientFile) -> None:
        while (piece := await reader.next()) is not None:
            offset, data = piece
            async with budget, session.errors(part, need=size):
                await file.write(data, offset)
            if on_bytes is not None:
                on_bytes(len(data))
            await budget.sent(len(data))

    count = _senders(size, chunk_of(files[0]))
    await run_together(send(files[number % len(files)]) for number in range(count))


def chunk_of(file: asyncssh.SFTPClientFile) -> int:
    """Bytes to write at a time: what the server takes."""
    return max(1024, min(file.write_len or MAX_CHUNK, MAX_CHUNK))


def _senders(size: int, chunk: int) -> int:
    most = max(16, min(_FILE_WINDOW // chunk, 64))
    return max(1, min(-(-size // chunk), most))


async def read_back(
    session: SftpSession, path: str, budget: Budget, limit: int | None = None
) -> tuple[str, int] | None:
    """SHA-256 and size of a file on the server, by reading it all; None without such a file.

    With a ``limit`` of no more than its first bytes.
    """
    digest, count = hashlib.sha256(), 0
    try:
        async for piece in read_pieces(session, path, budget, limit):
            digest.update(piece)
            count += len(piece)
    except FileVanished:
        return None
    return digest.hexdigest(), count


async def read_pieces(
    session: SftpSession, path: str, budget: Budget, limit: int | None = None
) -> AsyncGenerator[bytes]:
    """A file's (first ``limit``) bytes in order, many requests ahead. Raises FileVanished."""
    async with session.errors(path):
        file = await session.sftp.open(session.absolute(path), "rb", encoding=None)
    try:
        async with session.errors(path):
            total = (await file.stat()).size or 0
        total = total if limit is None else min(total, limit)
        chunk = max(1024, min(file.read_len or MAX_CHUNK, MAX_CHUNK))
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
