"""Servers that run as long as the tests do, each in a process of its own."""

import atexit
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

from tests.support.sftp_access import free_port

_START_SECONDS = 40.0


def start_server(command: Sequence[str], port: int) -> None:
    """Start a server, wait until it listens, end it when the tests end."""
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    atexit.register(server.kill)
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        if server.poll() is not None:
            raise RuntimeError(f"{command[0]} ended with {server.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{command[0]} did not start")


def python_server(*arguments: str) -> tuple[list[str], int]:
    """The command for a Python module that takes ``-p PORT``, and the port."""
    port = free_port()
    return [sys.executable, "-m", *arguments, "-p", str(port)], port
