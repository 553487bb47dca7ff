"""What all work at one SFTP target shares: the connection, its marker, its shell, its limits."""

import asyncio
import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ..config import SftpTargetConfig
from ..errors import MarkerMissing, PipelineError
from ..marker import MARKER_NAME
from .base import TargetIdentity
from .budget import Budget
from .hostkey import load_library
from .known_keys import KnownKeys

if TYPE_CHECKING:
    from .remote_hash import RemoteShell
    from .sftp_session import SftpSession

_LOGGER: Final = logging.getLogger(__name__)
_MARKER_LASTS: Final = 10.0
"""Seconds for which a look at the marker's name does; its text takes two round trips more."""
_FAILURE_LASTS: Final = 5.0
"""Seconds for which callers that waited for a failed connection get its error, not another try."""
_DISCARD_SECONDS: Final = 10
_LEFT_BEHIND: Final[dict[tuple[str, int, str], set[str]]] = {}
"""Part files that closed links could not remove, by host, port and folder; the next link does.

On a line that is cut again and again they would fill the disk before they are swept for their age.
"""


class SftpLink:
    """One connection carries everything; when it broke, the next call makes a new one."""

    def __init__(self, config: SftpTargetConfig, identity: TargetIdentity, keys: KnownKeys) -> None:
        """``identity`` is what was remembered; empty for a folder never used before."""
        self.config = config
        self._keys = keys
        self.marker_id = identity.marker_id
        self._owner = identity.owner
        self.shell: RemoteShell | None = None
        """How the server runs commands for us; None when it does not."""
        self.streams = True
        """False once sending through the shell failed."""
        self.copies_data = False
        """True while the server copies files by itself when asked."""
        self.hard_links = True
        """False once the server's file system turned out to have none."""
        self.budget = Budget(config.bandwidth)
        self.slots = asyncio.Semaphore(max(1, config.parallel))
        # servers allow about ten channels: one for SFTP, and these
        self.hashing = asyncio.Semaphore(2)
        self.streaming = asyncio.Semaphore(4)
        self.begun: set[str] = set()
        """Part files of big files that this process began and may go on with."""
        self.writing: set[str] = set()
        """Those of them that are being written now."""
        self._session: SftpSession | None = None
        self._shell_known = False
        self._connecting = asyncio.Lock()
        self._failure: tuple[float, PipelineError] | None = None
        self._marker_read = 0.0
        self._orphans: set[str] = set()

    @property
    def copies(self) -> bool:
        """True when the server copies a file, and tells the hash of what came of it.

        Without the second all bytes would come over the line, to be hashed here.
        """
        return self.copies_data and self.shell is not None and not self.config.rules.read_back

    def forget_failure(self) -> None:
        """Let the next call try to connect, whatever happened a moment ago."""
        self._failure = None

    async def session(self) -> SftpSession:
        """The open connection. Raises what ``Target.open`` raises."""
        async with self._connecting:
            if self._session is not None and self._session.alive:
                return self._session
            if self._failure is not None and time.monotonic() - self._failure[0] < _FAILURE_LASTS:
                error = self._failure[1]
                raise type(error)(error.detail, **error.placeholders)
            await self._drop()
            try:
                self._session = await self._connect()
            except PipelineError as err:
                self._failure = (time.monotonic(), err)
                raise
            self._failure = None
            return self._session

    async def _connect(self) -> SftpSession:
        await load_library()
        from .sftp_session import SftpSession
        from .sftp_setup import check_marker, claim, try_out
        from .sftp_sweep import remove_part

        session = await SftpSession.start(self.config, self._keys)
        try:
            if not self._shell_known:
                self.copies_data = session.sftp.supports_remote_copy
            if self.marker_id is None:
                self.marker_id, self.shell = await claim(session, self.budget, self._owner)
            else:
                await check_marker(session, self.marker_id)
                if not self._shell_known:
                    self.shell = await try_out(session, self.budget)
            self._shell_known = True
            self._marker_read = time.monotonic()
            self._orphans |= _LEFT_BEHIND.pop(self._place, set())
            for path in list(self._orphans):
                await remove_part(session, path)
                self._orphans.discard(path)
        except BaseException:  # cancelled too: no session may stay open
            await session.close()
            raise
        return session

    async def check_marker(self, session: SftpSession, *, thorough: bool = False) -> None:
        """Raise MarkerMissing or MarkerForeign; its text is read now and then, its name always."""
        from .sftp_setup import check_marker

        now = time.monotonic()
        if thorough or now - self._marker_read > _MARKER_LASTS:
            await check_marker(session, self.marker_id or "")
            self._marker_read = now
        elif await session.look(MARKER_NAME) is None:
            raise MarkerMissing(f"the marker vanished from {session.root}", path=session.root)

    async def stream_refused(self, session: SftpSession, err: Exception) -> None:
        """The server's shell did not take a file: it is asked no more, SFTP is used.

        Raises MarkerMissing when the reason is a disk that vanished.
        """
        await self.check_marker(session, thorough=True)
        _LOGGER.info("The server's shell takes no files (%s), SFTP is used", err)
        self.streams = False

    def begin(self, part: str) -> None:
        """From now on this part file or folder is removed unless ``settled`` is called."""
        self._orphans.add(part)

    def settled(self, part: str) -> None:
        """A part file became the real one, or is to stay."""
        self._orphans.discard(part)

    async def discard(self, session: SftpSession, part: str) -> None:
        """Remove a part file or folder now, or after the next connection when this one is lost."""
        from .sftp_sweep import remove_part

        self._orphans.add(part)
        if session.alive:
            with suppress(PipelineError, TimeoutError):
                async with asyncio.timeout(_DISCARD_SECONDS):
                    await remove_part(session, part)
                self._orphans.discard(part)

    async def close(self) -> None:
        """Let go of the connection; safe to call twice."""
        async with self._connecting:
            await self._drop()
            if self._orphans:
                _LEFT_BEHIND.setdefault(self._place, set()).update(self._orphans)
                self._orphans.clear()

    @property
    def _place(self) -> tuple[str, int, str]:
        return self.config.host, self.config.port, self.config.path

    async def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()
