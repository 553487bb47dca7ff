"""A second real WebDAV server, unlike rclone's: it knows free space and serves below a path."""

import json
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from .sftp_access import free_port

USER, PASSWORD = "ha", "pä ss:word"


class WsgidavServer:
    """Serves ``folder`` under ``prefix``, as a Nextcloud serves its files below an address."""

    def __init__(self, folder: Path, work: Path, prefix: str = "") -> None:
        """``work`` is for its configuration and log."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._work = work
        self._process: subprocess.Popen[bytes] | None = None
        # its configuration is YAML, of which JSON is a part
        (work / "wsgidav.json").write_text(
            json.dumps(
                {
                    "host": "127.0.0.1",
                    "port": self.port,
                    "server": "cheroot",
                    "provider_mapping": {prefix or "/": str(folder)},
                    "simple_dc": {"user_mapping": {"*": {USER: {"password": PASSWORD}}}},
                    "http_authenticator": {
                        "accept_basic": True,
                        "accept_digest": False,
                        "default_to_digest": False,
                    },
                    "dir_browser": {"enable": not prefix},
                    "verbose": 1,
                }
            )
        )

    def start(self) -> Self:
        """Start listening."""
        with (self._work / "wsgidav.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "wsgidav.server.server_cli"),
                    *("--config", str(self._work / "wsgidav.json")),
                ],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        for _ in range(500):
            if self._process.poll() is not None:
                break
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return self
            time.sleep(0.02)
        raise RuntimeError("wsgidav did not start: " + (self._work / "wsgidav.log").read_text())

    def close(self) -> None:
        """Stop."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None
