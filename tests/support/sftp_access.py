"""How to reach an SFTP server that a test or the demo started."""

import socket
from dataclasses import dataclass
from typing import Any

from custom_components.media_pipeline.engine.config import SftpTargetConfig


@dataclass(frozen=True, slots=True)
class SftpAccess:
    """Everything a target needs to log in."""

    host: str
    port: int
    username: str
    host_key: str
    path: str
    """The folder that is served, as the server names it."""
    password: str | None = None
    private_key: str | None = None

    def target_config(self, folder: str = "", **changes: Any) -> SftpTargetConfig:
        """The configuration of a target in ``folder`` below the served one."""
        path = f"{self.path.rstrip('/')}/{folder}".rstrip("/") or "/"
        values: dict[str, Any] = {
            "target_id": "sftp-test",
            "name": "SFTP",
            "host": self.host,
            "port": self.port,
            "username": self.username,
            "path": path,
            "host_key": self.host_key,
            "password": self.password,
            "private_key": self.private_key,
            "reserve_bytes": 0,
        }
        return SftpTargetConfig(**(values | changes))


def free_port() -> int:
    """A loopback port that nobody uses right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
