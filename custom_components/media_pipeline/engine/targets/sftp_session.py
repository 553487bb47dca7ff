"""One SFTP connection: small operations with errors in our own words.

Imports asyncssh: load it off the loop. SFTP version 3 answers a bare "Failure" to almost anything
(taken name, full disk, read-only), so a failure is looked into before it is named.
"""

import asyncio
import stat
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final, Self, cast

import asyncssh
from asyncssh.sftp import SFTPClient, start_sftp_client

from ..config import SftpTargetConfig
from ..errors import (
    FileVanished,
    NameRefused,
    NoSftpService,
    PipelineError,
    TargetFull,
    TargetReadOnly,
    TargetUnreachable,
)
from .known_keys import KnownKeys
from .paths import NameTaken, parent_of
from .ssh_connect import connect

_WINDOW: Final = 8 << 20
"""asyncssh's own window of 2 MiB caps reading at 1 MiB per round trip."""
_ANSWER_SECONDS: Final = 300
"""A disk may have to spin up, and a slow line may hold 16 MiB of ours before an answer."""
_MAX_TIME: Final = 0xFFFFFFFF
_FULL_BELOW: Final = 4 << 20
_READ_ONLY_FLAG: Final = 1


@dataclass(frozen=True, slots=True)
class Found:
    """What lies at a path on the server."""

    size: int
    regular: bool
    folder: bool
    mtime: int


class SftpSession:
    """A connection and its SFTP channel. Every method may raise a ``TargetUnavailableError``."""

    def __init__(self, conn: asyncssh.SSHClientConnection, sftp: SFTPClient, root: str) -> None:
        """``root`` is the absolute path of the target's folder on the server; see ``start``."""
        self.conn = conn
        self.sftp = sftp
        self.root = root
        self.round_trip = 0.0
        """Seconds that a small question took."""
        self.more: list[SFTPClient] | None = None
        """Further channels; see ``sftp_channels``."""
        self._broken = False
        self._folders: set[str] = set()

    @classmethod
    async def start(cls, config: SftpTargetConfig, keys: KnownKeys) -> Self:
        """Log in and open the SFTP channel; raises what ``connect`` does, and NoSftpService."""
        conn = await connect(config, keys)
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                sftp = await open_channel(conn)
                began = time.monotonic()
                home = str(await sftp.realpath("."))
                round_trip = time.monotonic() - began
        except (asyncssh.Error, OSError) as err:
            lost = conn.is_closed()
            conn.abort()
            kind = TargetUnreachable if lost else NoSftpService
            raise kind(f"{config.host}: {err}", host=config.host) from err
        except BaseException:  # cancelled too: no connection may stay open
            conn.abort()
            raise
        path = config.path.rstrip("/") or "/"
        if not path.startswith("/"):
            path = f"{home.rstrip('/')}/{path.removeprefix('~/')}"
        session = cls(conn, sftp, path)
        session.round_trip = round_trip
        return session

    @property
    def alive(self) -> bool:
        """False once the connection is known to be lost."""
        return not self._broken and not self.conn.is_closed()

    async def close(self) -> None:
        """Say goodbye, briefly."""
        self._broken = True
        self.sftp.exit()
        self.conn.close()
        try:
            async with asyncio.timeout(3):
                await self.conn.wait_closed()
        except TimeoutError:
            self.conn.abort()

    def absolute(self, path: str) -> str:
        """The server's name for a path below the root."""
        return f"{self.root.rstrip('/')}/{path}" if path else self.root

    @asynccontextmanager
    async def errors(self, path: str, *, need: int = 0) -> AsyncIterator[None]:
        """Turn the library's errors into ours; ``need`` is how many bytes were to be written."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                yield
        except (asyncssh.Error, OSError) as err:
            raise await self.explain(err, path, need=need) from err

    async def explain(self, err: Exception, path: str, *, need: int = 0) -> PipelineError:
        """What an error of an operation on ``path`` means."""
        text = f"{path}: {err}"
        match err:
            case asyncssh.SFTPNoSuchFile() | asyncssh.SFTPNoSuchPath():
                self._folders.clear()
                return FileVanished(text, path=path)
            case asyncssh.SFTPPermissionDenied() | asyncssh.SFTPWriteProtect():
                return TargetReadOnly(text, path=path)
            case asyncssh.SFTPNoSpaceOnFilesystem() | asyncssh.SFTPQuotaExceeded():
                return TargetFull(text, path=path)
            case asyncssh.SFTPInvalidFilename():
                return NameRefused(text, path=path)
            case asyncssh.SFTPBadMessage() if self.alive:  # OpenSSH: name too long, or invalid
                return NameRefused(text, path=path)
            case asyncssh.SFTPFailure() | asyncssh.SFTPOpUnsupported() if self.alive:
                return await self._explain_failure(text, path, need)
        self._broken = True
        return TargetUnreachable(text, path=path)

    async def _explain_failure(self, text: str, path: str, need: int) -> PipelineError:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                info = await self.sftp.statvfs(self.root)
        except asyncssh.SFTPError:
            info = None
        except OSError, asyncssh.Error:
            self._broken = True
            return TargetUnreachable(text, path=path)
        if info is not None and info.flags & _READ_ONLY_FLAG:
            return TargetReadOnly(text, path=path)
        # A failed write with space left is a quota that statvfs does not show.
        if need or (info is not None and info.bavail * info.frsize < _FULL_BELOW):
            return TargetFull(text, path=path)
        return TargetReadOnly(text, path=path)

    async def look(self, path: str) -> Found | None:
        """What lies at ``path`` (links not followed), None for nothing."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                attrs = await self.sftp.lstat(self.absolute(path))
        except asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath:
            return None
        except (asyncssh.Error, OSError) as err:
            raise await self.explain(err, path) from err
        mode = attrs.permissions or 0
        return Found(
            size=attrs.size or 0,
            regular=attrs.type == asyncssh.FILEXFER_TYPE_REGULAR or stat.S_ISREG(mode),
            folder=attrs.type == asyncssh.FILEXFER_TYPE_DIRECTORY or stat.S_ISDIR(mode),
            mtime=attrs.mtime or 0,
        )

    async def free_bytes(self) -> int | None:
        """Bytes that may still be written; None when the server can't say."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                info = await self.sftp.statvfs(self.root)
        except asyncssh.SFTPFailure, asyncssh.SFTPOpUnsupported, asyncssh.SFTPPermissionDenied:
            return None
        except (asyncssh.Error, OSError) as err:
            raise await self.explain(err, "") from err
        return int(info.bavail * info.frsize)

    async def read_small(self, path: str, limit: int = 4096) -> bytes | None:
        """The first bytes of a small file; None when it is not there."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                async with self.sftp.open(self.absolute(path), "rb") as file:
                    return cast("bytes", await file.read(limit))
        except asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath:
            return None
        except (asyncssh.Error, OSError) as err:
            raise await self.explain(err, path) from err

    async def write_small(self, path: str, data: bytes) -> None:
        """Write a new small file and flush it."""
        async with (
            self.errors(path, need=len(data)),
            self.sftp.open(self.absolute(path), "xb", encoding=None) as file,
        ):
            await file.write(data)
            with suppress(asyncssh.SFTPOpUnsupported, asyncssh.SFTPFailure):
                await file.fsync()

    async def make_folder(self, path: str) -> None:
        """Make the folder ``path`` below the root and those it needs; known ones cost nothing."""
        if not path or path in self._folders:
            return
        found = await self.look(path)
        if found is None:
            await self.make_folder(parent_of(path))
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await self.sftp.mkdir(self.absolute(path))
            except (asyncssh.Error, OSError) as err:
                # somebody else may have been faster; SFTP can't tell that from other failures
                if not self.alive or not (found := await self.look(path)) or not found.folder:
                    raise await self.explain(err, path) from err
        self._folders.add(path)

    async def publish(self, part: str, final: str, *, replace: bool) -> None:
        """Rename a part file; raises NameTaken when the name exists and ``replace`` is false."""
        source, goal = self.absolute(part), self.absolute(final)
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                if not replace:
                    await self.sftp.rename(source, goal)
                    return
                try:
                    await self.sftp.posix_rename(source, goal)
                except asyncssh.SFTPOpUnsupported:
                    with suppress(asyncssh.SFTPNoSuchFile):
                        await self.sftp.remove(goal)
                    await self.sftp.rename(source, goal)
        except (asyncssh.SFTPFailure, asyncssh.SFTPFileAlreadyExists) as err:
            if await self.look(final) is not None:
                raise NameTaken(final) from err
            raise await self.explain(err, final) from err
        except (asyncssh.Error, OSError) as err:
            raise await self.explain(err, final) from err

    async def set_time(self, path: str, mtime: float) -> bool:
        """Set a file's time, as near as SFTP's 32 bits come; False when the server refuses."""
        when = max(0, min(int(mtime), _MAX_TIME))
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self.sftp.setstat(
                    self.absolute(path), asyncssh.SFTPAttrs(atime=when, mtime=when)
                )
        except asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection:
            self._broken = True
            raise TargetUnreachable(f"{path}: connection lost", path=path) from None
        except asyncssh.SFTPError:
            return False
        except (asyncssh.Error, OSError) as err:
            raise await self.explain(err, path) from err
        return True

    async def remove(self, path: str) -> None:
        """Remove a file; no error when it is not there."""
        with suppress(FileVanished):
            async with self.errors(path):
                await self.sftp.remove(self.absolute(path))

    async def list_folder(self, path: str) -> list[tuple[str, Found]]:
        """Names in a folder with what they are."""
        entries = []
        async with self.errors(path):
            async for entry in self.sftp.scandir(self.absolute(path)):
                name = entry.filename
                if not isinstance(name, str) or name in {".", ".."}:
                    continue
                mode = entry.attrs.permissions or 0
                entries.append(
                    (
                        name,
                        Found(
                            entry.attrs.size or 0,
                            stat.S_ISREG(mode),
                            stat.S_ISDIR(mode),
                            entry.attrs.mtime or 0,
                        ),
                    )
                )
        return entries


async def open_channel(conn: asyncssh.SSHClientConnection) -> SFTPClient:
    """Open SFTP as ``conn.start_sftp_client`` does, which has no parameter for the window."""
    writer, reader, _ = await conn.open_session(subsystem="sftp", encoding=None, window=_WINDOW)
    loop = asyncio.get_running_loop()
    return await start_sftp_client(
        conn, loop, "strict", reader, writer, "utf-8", "surrogateescape", 3
    )
