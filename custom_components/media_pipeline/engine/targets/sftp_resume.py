"""What a part file of an earlier try is good for: its beginning is proven, the rest sent again.

The name of such a part is made of its content, and every writer puts each byte where it belongs,
never "at the end". So what a killed session still writes, late, is what belongs there anyway: it
harms neither the next try nor the published file. Imports asyncssh: load it off the loop.
"""

import asyncio
import logging
from dataclasses import dataclass
from shlex import quote
from typing import Final

import asyncssh

from .base import Shipment
from .sftp_link import SftpLink
from .sftp_proof import hash_of_start
from .sftp_session import Found, SftpSession
from .sftp_sweep import remove_part

_LOGGER: Final = logging.getLogger(__name__)
_UNSURE: Final = 16 << 20
"""The end of a cut part may have holes: so many bytes were under way at most."""
_STILL_SECONDS: Final = 3.0
_STILL_TRIES: Final = 5
"""What was under way when a session was cut is written by then, also on a slow disk."""
_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Start:
    """What a kept part file holds already."""

    size: int
    """Bytes, a multiple of 1 MiB."""
    sha256: str


async def is_still(link: SftpLink, session: SftpSession, part: str) -> bool:
    """False while somebody else writes to the part file, which then is not ours to go on with."""
    if part in link.begun or (before := await session.look(part)) is None:
        return True
    for _ in range(_STILL_TRIES):
        await asyncio.sleep(_STILL_SECONDS)
        now = await session.look(part)
        if now is None or now == before:
            return True
        before = now
    return False


async def proven_start(
    link: SftpLink, session: SftpSession, item: Shipment, part: str
) -> Start | None:
    """What a part file holds, up to where it has no holes; without use, it is removed.

    The hash is of that beginning alone: more may still be written behind it. It is the caller's to
    compare, with the same beginning of the local file.
    """
    found = await session.look(part)
    if found is None:
        return None
    size = min(found.size, item.size) - _UNSURE
    size -= size % _BLOCK
    if size >= _UNSURE and await _fits(session, item, part, found):
        sha256 = await hash_of_start(link, session, part, size)
        if sha256 is not None:
            _LOGGER.debug("Going on after %d bytes of a file", size)
            return Start(size, sha256)
    await remove_part(session, part)
    return None


async def _fits(session: SftpSession, item: Shipment, part: str, found: Found) -> bool:
    """Whether the part is a file no longer than what it is to become; it is cut to that."""
    if not found.regular or found.size <= item.size:
        return found.regular
    try:
        async with asyncio.timeout(60):
            await session.sftp.setstat(session.absolute(part), asyncssh.SFTPAttrs(size=item.size))
    except asyncssh.SFTPError as err:
        if not session.alive:
            raise await session.explain(err, part) from err
        return False
    except (asyncssh.Error, OSError) as err:
        raise await session.explain(err, part) from err
    return True


def write_from(start: Start | None, name: str) -> str:
    """The shell command that writes its input to the file ``name``, from the end of ``start`` on.

    A writer that appends would go on where another one ended, with bytes that belong elsewhere.
    """
    # the file is there: a command that starts late must not make it again after its removal
    there = f"test -f {quote(name)} && "
    if start is None:
        return f"{there}exec cat 1<>{quote(name)}"
    skip = (
        f"dd bs={_BLOCK} seek={start.size // _BLOCK} count=0 2>/dev/null"  # moves, writes nothing
    )
    return f"{there}{{ {skip} && exec cat; }} 1<>{quote(name)}"
