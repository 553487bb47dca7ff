"""A real dropbear, the small SSH server of routers and small NAS systems, on a loopback port.

It reads keys only from its user's home, so it runs in a mount namespace of its own, where a folder
of ours stands there; that takes root.
"""

import asyncio
import getpass
import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Self

import asyncssh

from .sftp_access import SftpAccess, free_port

_SFTP_SERVER = Path("/usr/lib/sftp-server")


def dropbear_runs() -> bool:
    """True when it is installed and may be given a home of ours."""
    return (
        os.geteuid() == 0
        and all(map(shutil.which, ("dropbear", "dropbearkey", "unshare")))
        and _SFTP_SERVER.exists()
        and subprocess.run(["unshare", "-m", "true"], check=False).returncode == 0
    )


def _home() -> Path:
    """Where dropbear looks, whatever ``HOME`` says."""
    return Path(pwd.getpwuid(os.getuid()).pw_dir)


class Dropbear:
    """Serves the whole machine to the user who runs the tests; paths start at ``root``."""

    def __init__(self, root: Path, *, sftp: bool = True) -> None:
        """``sftp`` False: as on a router that has no SFTP server."""
        self.root = root
        self.port = free_port()
        self._sftp = sftp
        self._work = Path(tempfile.mkdtemp(prefix="mp-dropbear-"))
        self._process: subprocess.Popen[bytes] | None = None
        user_key = asyncssh.generate_private_key("ssh-ed25519", comment="test")
        self._private_key = user_key.export_private_key("openssh").decode()
        ssh = self._work / "home" / ".ssh"
        ssh.mkdir(0o700, parents=True)
        (ssh / "authorized_keys").write_bytes(user_key.export_public_key("openssh"))
        (ssh / "authorized_keys").chmod(0o600)
        key = self._work / "host_key"
        made = subprocess.run(
            ["dropbearkey", "-t", "ed25519", "-f", key], check=True, capture_output=True, text=True
        )
        line = next(line for line in made.stdout.splitlines() if line.startswith("ssh-ed25519"))
        self._host_key = " ".join(line.split()[:2])

    @property
    def access(self) -> SftpAccess:
        """How to log in."""
        return SftpAccess(
            host="127.0.0.1",
            port=self.port,
            username=getpass.getuser(),
            host_key=self._host_key,
            path=str(self.root),
            private_key=self._private_key,
        )

    async def start(self) -> Self:
        """Start listening."""
        steps = [f"mount --bind {self._work / 'home'} {_home()}"]
        if not self._sftp:
            nothing = self._work / "nothing"
            nothing.touch()
            steps.append(f"mount --bind {nothing} {_SFTP_SERVER.resolve()}")
        steps.append(f"exec dropbear -F -E -p 127.0.0.1:{self.port} -r {self._work / 'host_key'}")
        with (self._work / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["unshare", "-m", "sh", "-c", " && ".join(steps)],
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
        raise RuntimeError("dropbear did not start: " + (self._work / "log").read_text())

    async def close(self) -> None:
        """Stop it and remove its keys."""
        if self._process is not None:
            self._process.terminate()
            await asyncio.to_thread(self._process.wait, 10)
        shutil.rmtree(self._work, ignore_errors=True)
