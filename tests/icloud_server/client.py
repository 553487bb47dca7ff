"""Starts the stand-in as a program of its own and tells it what to do."""

import contextlib
import json
import multiprocessing
import os
import sys
import threading
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import IO, Any, Self

_PROGRAM = "tests.icloud_server.__main__"
# Loading the program takes most of a start: each is forked from one process that has loaded it.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([_PROGRAM])


class ControlError(Exception):
    """The control door refused."""


def _serve(command: list[str], orders: Connection, answers: Connection) -> None:
    """Run the program in a forked process, with these as standard input and output."""
    from .__main__ import main

    for number, end in enumerate((orders, answers)):
        os.dup2(end.fileno(), number)
        end.close()
    sys.stdin, sys.stdout = os.fdopen(0, "r"), os.fdopen(1, "w")
    main(command)


class StandIn:
    """A running stand-in; use it as a context manager, or call `stop`."""

    def __init__(
        self, process: BaseProcess, orders: IO[str], answers: IO[str], ready: dict[str, Any]
    ) -> None:
        self._process, self._orders, self._answers = process, orders, answers
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
        command = ["--json", "--with-parent"]
        for name, value in {"assets": assets, **options}.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        (read, orders), (answers, write) = _FORKS.Pipe(duplex=False), _FORKS.Pipe(duplex=False)
        with read, orders, answers, write:
            process = _FORKS.Process(target=_serve, args=(command, read, write), daemon=True)
            process.start()
            ends = os.fdopen(os.dup(orders.fileno()), "w"), os.fdopen(os.dup(answers.fileno()))
        line = ends[1].readline()
        if not line:
            process.join()
            raise RuntimeError(f"the stand-in ended with {process.exitcode} before it was ready")
        return cls(process, *ends, json.loads(line))

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.exitcode

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
        with self._lock:
            self._orders.write(json.dumps({"op": op, **fields}) + "\n")
            self._orders.flush()
            line = self._answers.readline()
        if not line:
            raise ControlError(f"the stand-in is gone: {self._process.exitcode}")
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
        for end in (self._orders, self._answers):
            with contextlib.suppress(OSError):
                end.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
