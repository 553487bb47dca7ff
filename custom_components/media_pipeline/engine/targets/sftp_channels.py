"""More SFTP channels on one connection, for big files on a line with latency.

A server takes 2 MiB per channel before it answers: one round trip for each 2 MiB is the most that
one channel carries. Imports asyncssh: load it off the loop.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import asyncssh

from .sftp_session import SftpSession, open_channel

_LOGGER: Final = logging.getLogger(__name__)
FAR: Final = 0.005
"""Seconds of a round trip from which on one channel is the bottleneck."""
_MORE: Final = 2
"""Servers allow about ten channels; hashing and streams need six."""


def is_far(session: SftpSession) -> bool:
    """True on a line where one channel does not carry what the line could."""
    return session.round_trip > FAR


@asynccontextmanager
async def opened_widely(
    session: SftpSession, part: str, file: asyncssh.SFTPClientFile
) -> AsyncIterator[list[asyncssh.SFTPClientFile]]:
    """The open file ``part``, and once more on each further channel; without any, it alone."""
    more: list[asyncssh.SFTPClientFile] = []
    try:
        for channel in await _channels(session) if is_far(session) else []:
            with suppress(asyncssh.SFTPError):
                more.append(await channel.open(session.absolute(part), "r+b", encoding=None))
        yield [file, *more]
    finally:
        if session.alive:
            for other in more:
                with suppress(asyncssh.Error, OSError):
                    async with asyncio.timeout(5):
                        await other.close()


async def _channels(session: SftpSession) -> list[asyncssh.SFTPClient]:
    if session.more is None:
        session.more = []
        try:
            async with asyncio.timeout(20):
                for _ in range(_MORE):
                    session.more.append(await open_channel(session.conn))
        except (asyncssh.Error, OSError) as err:
            _LOGGER.debug("The server gives no more channels: %s", err)
    return session.more
