"""Sending bytes into a command at the server: faster than SFTP requests, at half the cost.

Imports asyncssh: load it off the loop.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Final, cast

import asyncssh

from ..errors import TargetUnreachable
from .sftp_session import SftpSession
from .ssh_packets import in_bursts

PIECE: Final = 1 << 20
READ_AT_ONCE: Final = 4 << 20
"""Of a big file on a fast line: each read is a trip to another thread and back."""
_AHEAD: Final = 4 << 20
"""Bytes that wait in memory for the server to take them; twice what it takes at once."""
_STALLED_SECONDS: Final = 300
_ANSWER_BYTES: Final = 8 << 20


class StreamRefused(Exception):
    """The command did not do it, for whatever reason; SFTP requests may, or say why not."""


async def pour(
    session: SftpSession, command: str, pieces: AsyncGenerator[bytes], *, seconds: float
) -> bytes:
    """Run a command, send it ``pieces`` as input, and return what it printed.

    ``seconds`` is how long it may take after the last piece. Raises StreamRefused when it could
    not be run or ended with a status other than 0, TargetUnreachable when the line is lost or
    nothing moves on it, and what ``pieces`` raises.
    """
    try:
        async with asyncio.timeout(_STALLED_SECONDS):
            writer, reader, _ = await session.conn.open_session(command=command, encoding=None)
    except (asyncssh.Error, OSError) as err:
        raise await _why(session, err) from err
    channel = cast("asyncssh.SSHClientChannel[bytes]", writer.channel)
    channel.set_write_buffer_limits(_AHEAD, _AHEAD // 2)
    write = in_bursts(channel)
    try:
        async with aclosing(_read_ahead(pieces)) as ready:
            async for piece in ready:
                try:
                    async with asyncio.timeout(_STALLED_SECONDS):
                        write(piece)
                        await writer.drain()
                except (asyncssh.Error, OSError) as err:
                    raise await _why(session, err) from err
        try:
            async with asyncio.timeout(seconds):
                writer.write_eof()
                answer = b""
                while len(answer) < _ANSWER_BYTES and (more := await reader.read(_ANSWER_BYTES)):
                    answer += more
                await channel.wait_closed()
        except (asyncssh.Error, OSError) as err:
            raise await _why(session, err) from err
    finally:
        channel.abort()
    status = channel.get_exit_status()
    if status != 0:
        if not session.alive:
            raise TargetUnreachable("the connection was lost", path="")
        raise StreamRefused(f"ended with {status}")
    return answer


async def _why(session: SftpSession, err: Exception) -> Exception:
    """Which of ours an error is."""
    if session.alive and not isinstance(err, TimeoutError):
        # a lost connection shows in the command's channel first
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await session.conn.wait_closed()
    if session.alive and not isinstance(err, TimeoutError):
        return StreamRefused(str(err))
    return await session.explain(asyncssh.ConnectionLost(str(err)), "")


async def _read_ahead(pieces: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The same pieces, each fetched while the one before is being used."""

    async def one() -> bytes | None:
        return await anext(pieces, None)

    task = asyncio.create_task(one())
    try:
        while (piece := await task) is not None:
            task = asyncio.create_task(one())
            yield piece
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await pieces.aclose()
