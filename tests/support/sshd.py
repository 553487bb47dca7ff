"""A real OpenSSH server on a loopback port, with its own keys and configuration."""

import asyncio
import getpass
import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Self

import asyncssh

from .sftp_access import SftpAccess, free_port

_LOG_LINES = 20


def find_sshd() -> str | None:
    """The installed server, or None."""
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


class RealSshd:
    """Serves ``root`` to the user who runs the tests; logging in takes the generated key."""

    def __init__(
        self,
        root: Path,
        *,
        internal_only: bool = False,
        key_type: str = "ssh-ed25519",
        jail: bool = False,
        without: str = "",
        new_keys_every: str = "",
    ) -> None:
        """``internal_only`` allows SFTP and no commands, as a locked-down NAS does.

        ``jail`` shows ``root`` as ``/``; that takes root, and folders that only root may change.
        ``without`` names requests of SFTP that it neither offers nor takes. ``new_keys_every`` is
        an amount (``1M``) after which the server wants new keys.
        """
        self._new_keys_every = new_keys_every
        self._jail = jail
        self._without = without
        self.root = root
        self.port = free_port()
        self._internal_only = internal_only
        self._work = Path(tempfile.mkdtemp(prefix="mp-sshd-"))
        self._process: subprocess.Popen[bytes] | None = None
        user_key = asyncssh.generate_private_key("ssh-ed25519", comment="test")
        self.private_key = user_key.export_private_key("openssh").decode()
        (self._work / "authorized_keys").write_bytes(user_key.export_public_key("openssh"))
        self.host_key = ""
        self.new_host_key(key_type)

    def new_host_key(self, key_type: str = "ssh-ed25519") -> None:
        """Change the server's key; takes effect with the next start."""
        self.use_host_keys(asyncssh.generate_private_key(key_type))

    def use_host_keys(self, *keys: asyncssh.SSHKey) -> None:
        """Have the server show the first of each kind, and announce all, from the next start on."""
        self._host_keys = []
        for number, key in enumerate(keys):
            path = self._work / (f"host_key_{number}" if number else "host_key")
            path.write_bytes(key.export_private_key("openssh"))
            path.chmod(0o600)
            self._host_keys.append(path)
        self.host_key = keys[0].export_public_key("openssh").decode().strip()

    @property
    def access(self) -> SftpAccess:
        """How to log in."""
        return SftpAccess(
            host="127.0.0.1",
            port=self.port,
            username=getpass.getuser(),
            host_key=self.host_key,
            path=str(self.root),
            private_key=self.private_key,
        )

    async def start(self) -> Self:
        """Start listening; a second start after ``stop`` uses the same port."""
        sshd = find_sshd()
        if sshd is None:
            msg = "sshd is not installed"
            raise RuntimeError(msg)
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        config = self._work / "sshd_config"
        config.write_text(self._config())
        with (self._work / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sshd, "-D", "-e", "-f", str(config)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        for _ in range(200):
            if self._process.poll() is not None:
                break
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return self
            await asyncio.sleep(0.05)
        raise RuntimeError("sshd did not start: " + self.log())

    def log(self) -> str:
        """The last lines that the server wrote."""
        with suppress(FileNotFoundError):
            lines = (self._work / "log").read_text(errors="replace").splitlines()
            return "\n".join(lines[-_LOG_LINES:])
        return ""

    def kill_sessions(self) -> int:
        """Kill every open session at once, as a crash would; the server goes on listening."""
        victims = _descendants(self._process.pid) if self._process else []
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(victims)

    def running(self, program: str) -> list[int]:
        """Processes that sessions of this server run ``program`` in."""
        found = []
        for pid in _descendants(self._process.pid) if self._process else []:
            with suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text().strip() == program:
                    found.append(pid)
        return found

    async def stop(self) -> None:
        """Stop the server and its sessions."""
        if self._process is None:
            return
        self.kill_sessions()
        self._process.terminate()
        await asyncio.to_thread(self._process.wait, 10)
        self._process = None

    async def close(self) -> None:
        """Stop and remove keys and configuration."""
        await self.stop()
        shutil.rmtree(self._work, ignore_errors=True)

    def _config(self) -> str:
        lines = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            *(f"HostKey {path}" for path in self._host_keys),
            "PidFile none",
            f"AuthorizedKeysFile {self._work / 'authorized_keys'}",
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin prohibit-password",
            "MaxStartups 200",
            "LogLevel ERROR",
            f"Subsystem sftp internal-sftp{f' -P {self._without}' if self._without else ''}",
            # the user's own login scripts are none of the tests' business, and may take long
            f"SetEnv HOME={self._work}",
        ]
        if self._new_keys_every:
            lines.append(f"RekeyLimit {self._new_keys_every}")
        if self._internal_only:
            lines.append("ForceCommand internal-sftp")
        if self._jail:
            lines.append(f"ChrootDirectory {self.root}")
        return "\n".join(lines) + "\n"


def _descendants(parent: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError, IndexError, ValueError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    waiting = [parent]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found
