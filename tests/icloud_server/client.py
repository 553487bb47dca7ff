"""Starts the stand-in as a program of its own and tells it what to do."""

import contextlib
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]


class ControlError(Exception):
    """The control door refused."""


class StandIn:
    """A running stand-in; use it as a context manager, or call `stop`."""

    def __init__(self, process: subprocess.Popen[str], ready: dict[str, Any]) -> None:
        self._process = process
        self.proxy = str(ready["proxy"])
        self.ca_file = str(ready["ca"])
        self.control_url = str(ready["control"])
        self.apple_id = str(ready["apple_id"])
        self.password = str(ready["password"])
        self.code = str(ready["code"])
        self.pid = int(ready["pid"])
        self._lock = threading.Lock()

    @classmethod
    def start(cls, assets: int = 100, **options: str | int) -> Self:
        """Start one; `options` are those of the command line, with underscores."""
        command = [sys.executable, "-m", "tests.icloud_server", "--json", "--with-parent"]
        for name, value in {"assets": assets, **options}.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the stand-in ended with {process.wait()} before it was ready")
        return cls(process, json.loads(line))

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs in its environment to reach us in place of Apple."""
        return {
            "HTTPS_PROXY": self.proxy,
            "https_proxy": self.proxy,
            "REQUESTS_CA_BUNDLE": self.ca_file,
            "SSL_CERT_FILE": self.ca_file,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    def control(self, op: str, **fields: Any) -> dict[str, Any]:
        """Carry out an operation of the control door.

        It goes over the pipe to the process, so it works where tests may not open sockets.
        """
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        with self._lock:
            process.stdin.write(json.dumps({"op": op, **fields}) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        if not line:
            raise ControlError(f"the stand-in is gone: {process.poll()}")
        result = json.loads(line)
        assert isinstance(result, dict)
        if "error" in result:
            raise ControlError(result["error"])
        return result

    def fault(self, operation: str = "", **fields: Any) -> None:
        """Add a fault for requests of this operation; see `faults.Fault`."""
        self.control("fault", operation=operation, **fields)

    def counts(self) -> dict[str, int]:
        """Requests by operation so far; what never happened is missing."""
        return self.control("counts")

    def state(self, zone: str = "PrimarySync") -> dict[str, Any]:
        """Totals of a zone."""
        return self.control("state", zone=zone)

    def assets(self, zone: str = "PrimarySync") -> list[dict[str, Any]]:
        """All assets of a zone with names, sizes and checksums."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.control("state", zone=zone, assets=True, start=len(found))["assets"]
            found += page
            if len(page) < 1000:
                return found

    def stop(self) -> None:
        """End it."""
        process = self._process
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
