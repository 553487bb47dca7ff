"""An SFTP server made with asyncssh: password login, one folder, and faults on demand."""

import asyncio
import os
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import asyncssh

from .sftp_access import SftpAccess


@dataclass(slots=True)
class Faults:
    """What this server does wrong; may be changed while it runs."""

    no_fsync: bool = False
    no_statvfs: bool = False
    no_setstat: bool = False
    no_posix_rename: bool = False
    no_link: bool = False
    rename_overwrites: bool = False
    """Plain rename replaces an existing file, as some servers do against the standard."""
    loses_last_block: bool = False
    """Answers OK to a file's last write and drops it."""
    write_error: asyncssh.SFTPError | None = None
    read_error: asyncssh.SFTPError | None = None
    write_delay: float = 0.0
    decomposes: bool = False
    """Names lie there in form NFD, are listed so and found in any form, as on a Mac's disk."""


@dataclass(slots=True)
class Shell:
    """A shell that runs the commands that are sent, here."""

    home: Path
    """What ``$HOME`` is: where this shell, unlike SFTP, sees the served folder."""
    greeting: bytes = b""
    """Printed before any command's own output, as careless login scripts do."""
    answers: bool = True
    """False: commands are taken and print nothing."""
    path: str = os.defpath
    """Where its programs lie."""

    async def run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        """Run one command to its end."""
        process.stdout.write(self.greeting)
        data = await process.stdin.read()
        if self.answers:
            child = await asyncio.create_subprocess_shell(
                process.command or "",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={"HOME": str(self.home), "PATH": self.path},
            )
            out, _ = await child.communicate(data)
            process.stdout.write(out)
        process.exit(0)


class AsyncsshServer:
    """Serves ``root`` as ``/`` to one user with a password; commands only with a ``Shell``."""

    def __init__(
        self,
        root: Path,
        *,
        faults: Faults | None = None,
        port: int = 0,
        shell: Shell | None = None,
        sftp: bool = True,
        dialog: Sequence[tuple[str, bool]] = (),
    ) -> None:
        """``port`` 0 takes a free one; ``shell`` runs commands; ``sftp`` False offers no SFTP.

        With a ``dialog`` (questions, and whether the answer may be seen) the password is taken
        only as its answer.
        """
        self.dialog = list(dialog)
        self.root = root
        self._shell = shell
        self._sftp = sftp
        self.port = port
        self.faults = faults or Faults()
        self.username, self.password = "phone", "correct horse"
        self._key: asyncssh.SSHKey = asyncssh.generate_private_key("ssh-ed25519")
        self._listener: asyncssh.SSHAcceptor | None = None
        self._connections: set[asyncssh.SSHServerConnection] = set()

    @property
    def host_key(self) -> str:
        """The server's public key, one line."""
        return self._key.export_public_key("openssh").decode().strip()

    def new_host_key(self, key_type: str = "ssh-ed25519") -> None:
        """Change the server's key; takes effect with the next start."""
        self._key = asyncssh.generate_private_key(key_type)

    @property
    def access(self) -> SftpAccess:
        """How to log in."""
        return SftpAccess(
            host="127.0.0.1",
            port=self.port,
            username=self.username,
            host_key=self.host_key,
            path="/",
            password=self.password,
        )

    async def start(self) -> Self:
        """Start listening; a second start after ``stop`` uses the same port."""
        self._listener = await asyncssh.listen(
            "127.0.0.1",
            self.port,
            server_factory=lambda: _Login(self),
            server_host_keys=[self._key],
            sftp_factory=self._sftp_factory() if self._sftp else None,
            process_factory=self._shell.run if self._shell else None,
            encoding=None,
            reuse_address=True,
        )
        self.port = self._listener.get_port()
        return self

    def _sftp_factory(self) -> Callable[[Any], asyncssh.SFTPServer]:
        return lambda channel: _Sftp(channel, str(self.root).encode(), self.faults)

    def kill_sessions(self) -> int:
        """Drop every connection at once."""
        victims = list(self._connections)
        for connection in victims:
            connection.abort()
        return len(victims)

    async def stop(self) -> None:
        """Stop listening and drop every connection."""
        self.kill_sessions()
        if self._listener is not None:
            self._listener.close()
            await self._listener.wait_closed()
            self._listener = None
        await asyncio.sleep(0)

    async def close(self) -> None:
        """Same as ``stop``; nothing lies on disk."""
        await self.stop()

    def log(self) -> str:
        """Nothing is written down."""
        return ""


class _Login(asyncssh.SSHServer):
    def __init__(self, server: AsyncsshServer) -> None:
        self._server = server
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._server._connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self._server._connections.discard(self._connection)

    def password_auth_supported(self) -> bool:
        return not self._server.dialog

    def kbdint_auth_supported(self) -> bool:
        return bool(self._server.dialog)

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Any:
        return "Welcome", "", "", self._server.dialog

    def validate_kbdint_response(self, username: str, responses: Sequence[str]) -> bool:
        return (username, *responses) == (self._server.username, self._server.password)

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (self._server.username, self._server.password)


class _Sftp(asyncssh.SFTPServer):
    def __init__(self, channel: Any, root: bytes, faults: Faults) -> None:
        super().__init__(channel, chroot=root)
        self._faults = faults
        self._block = 0

    def map_path(self, path: bytes) -> bytes:
        if self._faults.decomposes:
            path = unicodedata.normalize("NFD", path.decode()).encode()
        return super().map_path(path)

    async def write(self, file_obj: Any, offset: int, data: bytes) -> int:
        faults = self._faults
        if faults.write_delay:
            await asyncio.sleep(faults.write_delay)
        if faults.write_error is not None:
            raise faults.write_error
        self._block = max(self._block, len(data))
        if faults.loses_last_block and offset > 0 and len(data) < self._block:
            return len(data)
        result = super().write(file_obj, offset, data)
        assert isinstance(result, int)
        return result

    def read(self, file_obj: Any, offset: int, size: int) -> Any:
        if self._faults.read_error is not None:
            raise self._faults.read_error
        return super().read(file_obj, offset, size)

    def fsync(self, file_obj: Any) -> Any:
        if self._faults.no_fsync:
            raise asyncssh.SFTPOpUnsupported("no fsync")
        return super().fsync(file_obj)

    def statvfs(self, path: bytes) -> Any:
        if self._faults.no_statvfs:
            raise asyncssh.SFTPOpUnsupported("no statvfs")
        return super().statvfs(path)

    def setstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> Any:
        if self._faults.no_setstat:
            raise asyncssh.SFTPPermissionDenied("no")
        return super().setstat(path, attrs)

    def lsetstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> Any:
        if self._faults.no_setstat:
            raise asyncssh.SFTPPermissionDenied("no")
        return super().lsetstat(path, attrs)

    def link(self, oldpath: bytes, newpath: bytes) -> Any:
        if self._faults.no_link:
            raise asyncssh.SFTPFailure("Failure")
        return super().link(oldpath, newpath)

    def rename(self, oldpath: bytes, newpath: bytes) -> Any:
        if self._faults.rename_overwrites:
            return super().posix_rename(oldpath, newpath)
        return super().rename(oldpath, newpath)

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> Any:
        if self._faults.no_posix_rename:
            raise asyncssh.SFTPOpUnsupported("no posix-rename")
        return super().posix_rename(oldpath, newpath)
