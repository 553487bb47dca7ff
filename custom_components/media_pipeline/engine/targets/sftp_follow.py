"""Hashing a stored file at the server while it is still being written there.

A command reads what lies in the part file, a piece behind its writer, so that the hash is there
when the last byte is. It hashes what was stored and not what was sent, and holds the file open: at
the end it says whether the published name is that very file. It waits for our word before each
piece and ends with its input, so none is left behind by a lost line. Imports asyncssh: load it off
the loop.
"""

import asyncio
import logging
import re
from shlex import quote
from typing import Final, Self, cast

import asyncssh

from .remote_hash import RemoteShell, slowest_seconds
from .sftp_link import SftpLink
from .sftp_session import SftpSession

_LOGGER: Final = logging.getLogger(__name__)
_PIECE: Final = 16 << 20
"""Bytes after which the follower is told to read on: each time costs the server a process."""
_OPEN_SECONDS: Final = 20
_READY_SECONDS: Final = 5
"""It had the whole transfer to begin; where it did not, the hash of a finished file is faster."""
_SAME_SECONDS: Final = 60
_READY: Final = b"ready"
_HASH: Final = re.compile(rb"([0-9a-f]{64})(?![0-9a-f])")
_SAME: Final = b"same"
_END: Final = b"end"


class Follower:
    """One such command at most. Use as a context manager.

    What goes wrong with it costs nothing but the hash.
    """

    def __init__(self, link: SftpLink, session: SftpSession, size: int) -> None:
        """``size`` is what the file will have."""
        self._link = link
        self._session = session
        self._size = size
        self._sent = 0
        self._told: str | None = None
        self._running: tuple[asyncssh.SSHWriter[bytes], asyncssh.SSHReader[bytes]] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()

    async def begin(self, shell: RemoteShell, part: str) -> None:
        """Follow the new, empty file ``part``; not while this target follows another file."""
        link = self._link
        if link.following or link.config.rules.read_back:
            return
        link.following = True
        try:
            async with asyncio.timeout(_OPEN_SECONDS):
                writer, reader, _ = await self._session.conn.open_session(
                    command=_command(shell, part), encoding=None
                )
        except (asyncssh.Error, OSError) as err:
            link.following = False
            _LOGGER.debug("The server hashes nothing while it writes: %s", err)
        except BaseException:  # cancelled
            link.following = False
            raise
        else:
            self._running = writer, reader

    def sent(self, count: int) -> None:
        """So many more bytes are on their way to the file."""
        before, self._sent = self._sent, self._sent + count
        if before // _PIECE != self._sent // _PIECE:
            self._say(b"")

    async def sha256(self) -> str | None:
        """The file's hash, now that all of it is written; None when there is no answer."""
        if (await self._answer(_READY_SECONDS)).strip() != _READY:
            self.stop()
        self._say(_END)
        found = _HASH.match(await self._answer(slowest_seconds(self._size)))
        self._told = found[1].decode() if found else None
        return self._told

    async def proves(self, path: str, sha256: str) -> bool:
        """Whether the very file that was hashed so lies at this path now. Once, at the end."""
        if self._told != sha256:
            return False
        self._say(path.encode(errors="surrogateescape"))
        return (await self._answer(_SAME_SECONDS)).strip() == _SAME

    def stop(self) -> None:
        """Have the command end."""
        if self._running is not None:
            cast("asyncssh.SSHClientChannel[bytes]", self._running[0].channel).abort()
            self._running = None
            self._link.following = False
        self._told = None

    def _say(self, line: bytes) -> None:
        if self._running is not None:
            try:
                self._running[0].write(line + b"\n")
            except (asyncssh.Error, OSError) as err:
                _LOGGER.debug("The server stopped hashing while it writes: %s", err)

    async def _answer(self, seconds: float) -> bytes:
        if self._running is None:
            return b""
        try:
            async with asyncio.timeout(seconds):
                return await self._running[1].readline()
        except (asyncssh.Error, OSError) as err:
            _LOGGER.debug("The server did not hash while it wrote: %s", err)
            return b""


def _command(shell: RemoteShell, part: str) -> str:
    script = (
        f"cd {quote(shell.folder)} && exec 3<{quote(f'./{part}')} || exit 1\n"
        f"echo {_READY.decode()}\n"
        # all share one place in the file: each cat goes on where the one before it found the end
        f'while IFS= read -r line; do cat <&3; [ "$line" = {_END.decode()} ] && break; done'
        f" | {shell.program} 2>/dev/null || exit 1\n"
        f'IFS= read -r line && [ "./$line" -ef /dev/fd/3 ] && echo {_SAME.decode()}'
    )
    return f"sh -c {quote(script)}"
