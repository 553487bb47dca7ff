"""The two programs: how each is signed in once, and started on an empty folder."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final, Protocol

from tests.icloud_server.client import StandIn

from .measure import BenchFailed, run

ICLOUDPD: Final = "1.32.3"


class Contestant(Protocol):
    """A program that downloads the library; signed in before it is measured."""

    name: str

    def start_only(self) -> list[str | Path]:
        """Start it and let it end before it asks the network."""
        ...

    def download(self, folder: Path) -> list[str | Path]:
        """Bring ``folder`` up to date; without a memory of earlier downloads when it is new."""
        ...


class Ours:
    """The engine of this integration."""

    name = "media_pipeline"

    def __init__(self, icloud: StandIn, root: Path) -> None:
        """Signs in with a code; the session is kept in ``root``."""
        self._root = root
        self._signed_in = root / "signed-in"
        self._signed_in.mkdir(mode=0o700, parents=True)
        command = [*self._command(self._signed_in, root / "nothing"), "--code", icloud.code]
        run(command, self.environment(icloud), root / "sign-in.log")

    @staticmethod
    def environment(icloud: StandIn) -> dict[str, str]:
        """What both programs of this class need beside the stand-in's own variables."""
        account = {"BENCH_APPLE_ID": icloud.apple_id, "BENCH_PASSWORD": icloud.password}
        return {**icloud.environment, **account}

    @staticmethod
    def _command(private: Path, archive: Path) -> list[str | Path]:
        return [sys.executable, "-m", "benchmarks.ingest.ours", private, archive]

    def start_only(self) -> list[str | Path]:
        private = self._root / "start-only"
        shutil.rmtree(private, ignore_errors=True)  # so that the catalog is made, as at a first run
        return [*self._command(private, self._root / "nothing"), "--start-only"]

    def download(self, folder: Path) -> list[str | Path]:
        private = folder.with_name(f"{folder.name}-private")
        if not private.exists():
            private.mkdir(mode=0o700)
            shutil.copytree(self._signed_in / "session", private / "session")
        return self._command(private, folder)

    @property
    def session_file(self) -> Path:
        """What pyicloud remembers of the sign-in."""
        return next((self._signed_in / "session").glob("*.session"))


class IcloudPd:
    """icloudpd from PyPI, in a virtual environment of its own in the user's cache folder."""

    name = "icloudpd"

    def __init__(self, icloud: StandIn, root: Path, trusted: Path) -> None:
        """Signs in by itself, as a browser that is trusted since ``trusted`` was written.

        Its dialog for the second factor does not look at ``REQUESTS_CA_BUNDLE`` (it sends prepared
        requests), so it can't reach a stand-in. Its password sign-in with a trust token can.
        """
        self._program = _install()
        self._icloud = icloud
        self._cookies = root / "cookies"
        self._cookies.mkdir(mode=0o700, parents=True)
        known = json.loads(trusted.read_text())
        memory = {key: known[key] for key in ("client_id", "trust_token")}
        (self._cookies / trusted.name).write_text(json.dumps(memory))
        log = root / "sign-in.log"
        run([*self._command(), "--auth-only"], icloud.environment, log)
        if "Authentication completed successfully" not in log.read_text():
            raise BenchFailed(f"icloudpd could not sign in:\n{log.read_text()}")

    def _command(self) -> list[str | Path]:
        return [
            self._program,
            *("--username", self._icloud.apple_id, "--password", self._icloud.password),
            *("--cookie-directory", self._cookies),
            "--no-progress-bar",
        ]

    def start_only(self) -> list[str | Path]:
        return [self._program, "--version"]

    def download(self, folder: Path) -> list[str | Path]:
        folder.mkdir(exist_ok=True)
        return [*self._command(), "--directory", folder]


def _install() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "media_pipeline"
    home = cache / f"icloudpd-{ICLOUDPD}"
    program = home / "bin" / "icloudpd"
    if program.exists():
        return program
    uv = shutil.which("uv") or str(cache / "bootstrap" / "bin" / "uv")
    steps: tuple[list[str | Path], ...] = (
        [uv, "venv", "--quiet", "--clear", "--python", sys.executable, home],
        [uv, "pip", "install", "--quiet", "--python", home / "bin/python", f"icloudpd=={ICLOUDPD}"],
    )
    for command in steps:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchFailed(f"icloudpd could not be installed: {done.stderr.strip()}")
    return program
