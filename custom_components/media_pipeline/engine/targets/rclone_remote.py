"""What a remote of rclone is: how far it can be trusted, and with whom it would fail together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from .strong_hashes import strongest

WRAPPERS: Final = frozenset({"alias", "crypt", "chunker", "compress", "hasher"})
"""Types that keep their bytes on another remote."""
CLOUDS: Final = frozenset(
    {
        *("azureblob", "b2", "box", "drive", "dropbox", "fichier", "filefabric", "gofile"),
        *("google cloud storage", "google photos", "hidrive", "iclouddrive", "internetarchive"),
        *("jottacloud", "koofr", "mailru", "mega", "onedrive", "opendrive", "pcloud", "pikpak"),
        *("premiumizeme", "protondrive", "putio", "quatrix", "sharefile", "sugarsync", "yandex"),
        *("zoho",),
    }
)
"""Types whose bytes are in somebody's data centre."""
_TRUE_HASHES: Final[dict[str, tuple[str, ...]]] = {
    "local": ("sha256",),
    "sftp": ("sha256", "sha1", "md5"),
}
"""Types where the bytes are read and hashed when the hash is asked for.

The hash that cloud services show was computed, or handed in with the upload, when a file arrived;
that of hasher and chunker is remembered by rclone. Both say nothing about the bytes that lie there
today, so those are read back.
"""
_HOST_FIELDS: Final = ("host", "url", "endpoint")


@dataclass(frozen=True, slots=True)
class Remote:
    """A remote as far as rclone's configuration tells."""

    type: str
    """Of the remote itself, with aliases followed."""
    base_type: str
    """Of the remote whose side holds the bytes: wrappers of all kinds followed."""
    base: Mapping[str, Any]
    """That remote's options; may hold secrets."""
    base_name: str
    base_path: str = ""
    """The folder there that aliases and wrappers lead to."""

    @property
    def host(self) -> str | None:
        """The server that holds the bytes, for types that talk to one."""
        for field in _HOST_FIELDS:
            if value := str(self.base.get(field) or ""):
                return urlsplit(value if "//" in value else f"//{value}").hostname
        return None

    def hash_name(self, offered: list[str]) -> str | None:
        """The hash to be compared, of those that rclone offers for the remote."""
        true = _TRUE_HASHES.get(self.type, ())
        return strongest([name for name in offered if name in true])

    def domain(self, rclone_host: str) -> str:
        """Failure domain. All remotes at one cloud service are one: nobody knows the accounts."""
        if self.base_type == "local":
            return f"rclone-machine:{rclone_host}"
        if self.host is not None:
            return f"host:{self.host.lower()}"
        if self.base_type in CLOUDS:
            return f"cloud:{self.base_type}"
        return f"rclone:{self.base_type}:{self.base_name}"
