"""Filling a part file: through the server's shell where it has one, else with SFTP requests.

The part of a big file has a name made of its content and outlives a cut; the next try proves what
is there and goes on. Imports asyncssh: load it off the loop.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from shlex import quote
from typing import Final

import asyncssh

from ..errors import FileVanished, TargetUnreachable
from ..model import ProofMethod
from .base import Shipment
from .paths import part_path
from .remote_hash import RemoteShell
from .sftp_channels import is_far, opened_widely
from .sftp_link import SftpLink
from .sftp_proof import told_of
from .sftp_resume import Start, is_still, proven_start, write_from
from .sftp_session import SftpSession
from .sftp_stream import PIECE, READ_AT_ONCE, StreamRefused, pour
from .sftp_sweep import remove_part
from .sftp_transfer import chunk_of, upload
from .source_reader import SourceReader

RESUMABLE: Final = 64 << 20
"""Bytes from which on a part file is kept."""
_STREAM_FROM: Final = 4 << 20
"""Smaller files are not worth a channel of their own."""
_SETTLE_SECONDS: Final = 300
"""How long a slow disk may take for what was sent last."""


class _OtherBytes(Exception):
    """A part does not hold what it should, and the source is not to blame."""


async def write_part(
    link: SftpLink,
    session: SftpSession,
    item: Shipment,
    final: str,
    on_bytes: Callable[[int], None] | None,
) -> tuple[str, ProofMethod | None]:
    """Write ``item`` to a part file beside ``final`` and flush it.

    Returns the part's path and how what lies there was hashed, when it was. Raises
    SourceFileChanged, FileVanished or a ``TargetUnavailableError``; then nothing stays, except the
    part of a big file when the connection was cut or the caller was cancelled.
    """
    kept = part_path(final, item.sha256[:12])
    if item.size <= RESUMABLE or kept in link.writing:
        return await _write_once(link, session, item, part_path(final), on_bytes), None
    link.writing.add(kept)
    try:
        if not await is_still(link, session, kept):  # somebody else is sending the same file
            return await _write_once(link, session, item, part_path(final), on_bytes), None
        link.begun.add(kept)
        link.settled(kept)
        return kept, await _write_kept(link, session, item, kept, on_bytes)
    finally:
        link.writing.discard(kept)


async def _write_once(
    link: SftpLink,
    session: SftpSession,
    item: Shipment,
    part: str,
    on_bytes: Callable[[int], None] | None,
) -> str:
    link.begin(part)
    try:
        await _fill(link, session, item, part, None, on_bytes)
    except BaseException:  # cancelled too: no half file may stay behind
        await link.discard(session, part)
        raise
    return part


async def _write_kept(
    link: SftpLink,
    session: SftpSession,
    item: Shipment,
    part: str,
    on_bytes: Callable[[int], None] | None,
) -> ProofMethod | None:
    # Where the server hashes, what it stored is compared before it gets its name; what is sent
    # need not be hashed here too, which takes a fifth of the whole on a fast line.
    there = link.shell is not None and link.streams and not link.config.rules.read_back
    proof: ProofMethod | None = None
    try:
        start = await proven_start(link, session, item, part)
        try:
            await _fill(link, session, item, part, start, on_bytes, hashed=not there)
            if start or there:
                proof = await _compare(link, session, item, part)
        except _OtherBytes:
            await remove_part(session, part)
            await _fill(link, session, item, part, None, on_bytes)
    except asyncio.CancelledError, TargetUnreachable:
        raise  # the next try goes on with what is there
    except BaseException:  # all else makes what is there useless
        await link.discard(session, part)
        raise
    return proof


async def _compare(link: SftpLink, session: SftpSession, item: Shipment, part: str) -> ProofMethod:
    """Have what lies there hashed. Raises SourceFileChanged or _OtherBytes when that is wrong."""
    sha256, method = await told_of(link, session, part, item.size)
    if sha256 == item.sha256:
        return method
    async with SourceReader(item.source, READ_AT_ONCE) as reader:
        await reader.skip(item.size)
        reader.check(item.size, item.sha256)
    raise _OtherBytes


async def _fill(
    link: SftpLink,
    session: SftpSession,
    item: Shipment,
    part: str,
    start: Start | None,
    on_bytes: Callable[[int], None] | None,
    *,
    hashed: bool = True,
) -> None:
    wide = item.size > RESUMABLE and is_far(session)
    if link.shell is not None and link.streams and item.size >= _STREAM_FROM and not wide:
        try:
            async with link.streaming:
                await _through_shell(
                    link, link.shell, session, item, part, start, on_bytes, hashed=hashed
                )
        except StreamRefused as err:
            await link.stream_refused(session, err)
            start = None
            await remove_part(session, part)
        else:
            return
    async with _opened(session, part, start) as file:
        async with SourceReader(item.source, chunk_of(file), hashed=hashed) as reader:
            await _skip(reader, start)
            async with AsyncExitStack() as stack:
                files = [file]
                if wide:
                    files = await stack.enter_async_context(opened_widely(session, part, file))
                await upload(
                    session,
                    files,
                    part,
                    reader,
                    size=item.size,
                    budget=link.budget,
                    on_bytes=on_bytes,
                )
            reader.check(item.size, item.sha256)
        await _flush(session, file, part, item.size)


async def _through_shell(
    link: SftpLink,
    shell: RemoteShell,
    session: SftpSession,
    item: Shipment,
    part: str,
    start: Start | None,
    on_bytes: Callable[[int], None] | None,
    *,
    hashed: bool,
) -> None:
    # what is limited goes out evenly
    at_once = PIECE if link.config.bandwidth else READ_AT_ONCE

    async def pieces(reader: SourceReader) -> AsyncGenerator[bytes]:
        while (piece := await reader.next()) is not None:
            yield piece[1]
            if on_bytes is not None:
                on_bytes(len(piece[1]))
            await link.budget.sent(len(piece[1]))

    script = f"cd {quote(shell.folder)} && {write_from(start, f'./{part}')}"
    async with _opened(session, part, start) as file:
        async with SourceReader(item.source, at_once, hashed=hashed) as reader:
            await _skip(reader, start)
            command = f"sh -c {quote(script)}"
            await pour(session, command, pieces(reader), seconds=_SETTLE_SECONDS)
            reader.check(item.size, item.sha256)
        async with session.errors(part):
            size = (await file.stat()).size
        if size != item.size:
            raise StreamRefused(f"{size} bytes arrived of {item.size}")
        await _flush(session, file, part, item.size)


async def _skip(reader: SourceReader, start: Start | None) -> None:
    if start is not None and await reader.skip(start.size) != start.sha256:
        raise _OtherBytes


@asynccontextmanager
async def _opened(
    session: SftpSession, part: str, start: Start | None
) -> AsyncIterator[asyncssh.SFTPClientFile]:
    """The part file, new or to be gone on with."""
    try:
        async with session.errors(part):
            file = await session.sftp.open(
                session.absolute(part), "r+b" if start else "xb", encoding=None
            )
    except FileVanished as err:  # the folder went after we made it; the next try makes it again
        raise TargetUnreachable(err.detail, path=part) from err
    try:
        yield file
    except BaseException:  # cancelled too: no file may stay open there
        if session.alive:
            with suppress(asyncssh.Error, OSError):
                async with asyncio.timeout(5):
                    await file.close()
        raise


async def _flush(session: SftpSession, file: asyncssh.SFTPClientFile, part: str, size: int) -> None:
    """Have the server write the file to its disk, where it can, and close it."""
    async with session.errors(part, need=size):
        with suppress(asyncssh.SFTPOpUnsupported, asyncssh.SFTPPermissionDenied):
            await file.fsync()
        await file.close()
