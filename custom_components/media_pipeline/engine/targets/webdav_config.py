"""What a WebDAV target is told."""

from dataclasses import dataclass
from typing import ClassVar

from ..config import TargetConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class WebdavTargetConfig(TargetConfig):
    """A folder on a WebDAV server, such as Nextcloud."""

    kind: ClassVar[str] = "webdav"
    url: str
    """Of the WebDAV folder, or only of a Nextcloud: its WebDAV address is found then."""
    path: str = ""
    """Folder below it; it is made when it does not exist."""
    username: str | None = None
    password: str | None = None
    verify_tls: bool = True
