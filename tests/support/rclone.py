"""A real rclone with its remote control, and servers of its own to have remotes at."""

import os
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from .sftp_access import free_port

VERSION = "1.75.2"
USER, PASSWORD = "ha", "pä ss:word"
_KEY, _SECRET = "AKIAEXAMPLE", "SECRETEXAMPLE"


def find_rclone() -> Path | None:
    """The rclone that ``scripts/setup --all`` keeps in the user's cache, or None."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "media_pipeline"
    program = cache / f"rclone-{VERSION}" / "bin" / "rclone"
    return program if program.exists() else None


@dataclass(slots=True)
class Rclone:
    """One remote control with the remotes that a test describes."""

    work: Path
    port: int = field(default_factory=free_port)
    host: str = "127.0.0.1"
    serve: bool = True
    password: str | None = PASSWORD
    environment: dict[str, str] = field(default_factory=dict)
    """More of it for the remote control, such as a proxy."""
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _rcd: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def config(self) -> Path:
        """Its file of remotes."""
        return self.work / "rclone.conf"

    def remote(self, name: str, **options: Any) -> None:
        """Describe one more remote; before the start."""
        lines = [f"[{name}]", *(f"{key} = {value}" for key, value in options.items()), ""]
        with self.config.open("a") as file:
            file.write("\n".join(lines) + "\n")

    def obscure(self, password: str) -> str:
        """A password as it stands in the file of remotes."""
        return self._run("obscure", password).stdout.decode().strip()

    def start(self) -> Self:
        """Start the remote control; again after ``kill``."""
        self.config.touch()
        command = ["rcd", "--rc-addr", f"{self.host}:{self.port}", "--config", str(self.config)]
        if self.password is not None:
            command += ["--rc-user", USER, "--rc-pass", self.password]
        else:
            command += ["--rc-no-auth"]
        if self.serve:
            command += ["--rc-serve"]
        self._rcd = self._start(command, self.port)
        return self

    def kill(self) -> None:
        """End the remote control at once, as a crash would."""
        if self._rcd is not None:
            self._rcd.kill()
            self._rcd.wait(10)
            self._rcd = None

    def serve_webdav(self, folder: Path, *more: str) -> int:
        """A WebDAV server of this folder; its port."""
        port = free_port()
        login = ("--user", USER, "--pass", "dav")
        self._serve("webdav", folder, port, *login, *more)
        return port

    def serve_s3(self, folder: Path) -> int:
        """An S3 server whose buckets are this folder's folders; its port."""
        port = free_port()
        self._serve("s3", folder, port, "--auth-key", f"{_KEY},{_SECRET}")
        return port

    @property
    def s3_options(self) -> dict[str, str]:
        """How a remote logs in to ``serve_s3``, but for the endpoint."""
        return {
            "type": "s3",
            "provider": "Rclone",
            "access_key_id": _KEY,
            "secret_access_key": _SECRET,
        }

    def close(self) -> None:
        """End all of it."""
        self.kill()
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(10)

    def _serve(self, kind: str, folder: Path, port: int, *more: str) -> None:
        # what tests do past the server must be seen at once; 0s would list everything each time
        common = ("--addr", f"127.0.0.1:{port}", "--dir-cache-time", "1ms")
        process = self._start(["serve", kind, str(folder), *common, *more], port)
        self._processes.append(process)

    def _start(self, command: list[str], port: int) -> subprocess.Popen[bytes]:
        with (self.work / "log").open("ab") as log:
            process = subprocess.Popen(
                [str(find_rclone()), *command],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **self.environment, "RCLONE_CONFIG": str(self.config)},
            )
        for _ in range(400):
            if process.poll() is not None:
                break
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return process
            time.sleep(0.02)
        raise RuntimeError("rclone did not start: " + (self.work / "log").read_text()[-2000:])

    def _run(self, *command: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([str(find_rclone()), *command], capture_output=True, check=True)
