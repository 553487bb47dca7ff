"""A copy made by the server itself, of a file that lies there: only questions go over the line.

What comes of it is hashed there before anybody uses it, so a file that rotted at the server stays
the only one. Imports asyncssh: load it off the loop.
"""

import asyncio
import logging
from contextlib import AsyncExitStack, suppress
from typing import Final

import asyncssh

from ..errors import FileVanished, PipelineError, TargetUnreachable
from .base import Shipment
from .paths import part_path
from .sftp_link import SftpLink
from .sftp_proof import hash_of
from .sftp_session import SftpSession

_LOGGER: Final = logging.getLogger(__name__)
_STEP: Final = 64 << 20
"""Bytes to copy per request: the server answers nothing else on the channel meanwhile."""


class TwinDiffers(Exception):
    """The copy has other bytes than it should: most likely so has what it was made of."""


async def copy_twin(
    link: SftpLink, session: SftpSession, item: Shipment, twin: str, final: str
) -> str | None:
    """Have the server copy ``twin`` to a part file beside ``final``; returns the part's path.

    None when that did not work, for whatever reason; then nothing stays. Raises TwinDiffers, and
    TargetUnreachable or MarkerMissing when it is the whole target that is gone.
    """
    found = await session.look(twin)
    if found is None or not found.regular:
        return None
    if found.size != item.size:
        raise TwinDiffers
    part = part_path(final)
    link.begin(part)
    try:
        await _copy(session, twin, part, item.size)
        sha256 = await hash_of(link, session, part, item.size)
    except FileVanished:  # somebody removed the one or the other's folder meanwhile
        await link.discard(session, part)
        return None
    except PipelineError as err:
        link.copies_data = False  # a server that dies of it must not be asked again and again
        await link.discard(session, part)
        if isinstance(err, TargetUnreachable):
            raise
        await link.check_marker(session, thorough=True)
        _LOGGER.info("The server copies no files by itself (%s), they are sent", err)
        return None
    except BaseException:  # cancelled too: no half file may stay behind
        await link.discard(session, part)
        raise
    if sha256 != item.sha256:
        await link.discard(session, part)
        raise TwinDiffers
    return part


async def _copy(session: SftpSession, twin: str, part: str, size: int) -> None:
    sftp = session.sftp
    async with AsyncExitStack() as stack:
        async with session.errors(twin):
            source = await sftp.open(session.absolute(twin), "rb", encoding=None)
            stack.push_async_callback(_shut, session, source)
        async with session.errors(part, need=size):
            goal = await sftp.open(session.absolute(part), "xb", encoding=None)
            stack.push_async_callback(_shut, session, goal)
        for start in range(0, size, _STEP):
            length = min(_STEP, size - start)
            async with session.errors(part, need=size):
                await sftp.remote_copy(source, goal, start, length, start)
        async with session.errors(part, need=size):
            with suppress(asyncssh.SFTPOpUnsupported, asyncssh.SFTPPermissionDenied):
                await goal.fsync()


async def _shut(session: SftpSession, file: asyncssh.SFTPClientFile) -> None:
    if session.alive:
        with suppress(asyncssh.Error, OSError):
            async with asyncio.timeout(5):
                await file.close()
