"""What an rclone target is told."""

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from ..config import TargetConfig
from ..errors import RcloneRemoteUnknown

_REMOTE: Final = re.compile(r"^(?P<name>[\w.+@][\w.+@ -]*):(?P<path>.*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class RcloneTargetConfig(TargetConfig):
    """A folder on a remote of an rclone that the user runs with its remote control."""

    kind: ClassVar[str] = "rclone"
    url: str
    """Address of the remote control, such as ``http://127.0.0.1:5572``."""
    remote: str
    """As rclone writes it: ``gdrive:photos``, or an absolute path on rclone's machine."""
    username: str | None = None
    password: str | None = None
    verify_tls: bool = True


def split_remote(remote: str) -> tuple[str, str]:
    """``gdrive:photos/all`` → (``gdrive:``, ``photos/all``); ``/mnt/x`` → (``/``, ``mnt/x``).

    A slash at the start of the path stays with the first: SFTP servers start elsewhere without it.
    Remotes that are described in place (``:sftp,host=…:``) would put secrets into names; they and
    anything else raise RcloneRemoteUnknown.
    """
    if remote.startswith("/"):
        return "/", remote.strip("/")
    match = _REMOTE.match(remote)
    if match is None:
        raise RcloneRemoteUnknown("not of the form name:path")
    slash = "/" if match["path"].startswith("/") else ""
    return f"{match['name']}:{slash}", match["path"].strip("/")
