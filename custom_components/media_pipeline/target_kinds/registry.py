"""All kinds of targets. A new one is a new file beside this one, and a line here."""

from typing import Any, Final

from ..const import CONF_KIND
from ..engine.config import TargetConfig
from .action import ACTION
from .base import Data, TargetKind, common
from .folder import FOLDER
from .google_photos import GOOGLE_PHOTOS
from .object_store import AZURE, GCS, S3
from .pixel import PIXEL
from .rclone import RCLONE
from .sftp import SFTP
from .webdav import WEBDAV

KINDS: Final[dict[str, TargetKind]] = {
    kind.key: kind
    for kind in (FOLDER, SFTP, WEBDAV, RCLONE, S3, GCS, AZURE, PIXEL, GOOGLE_PHOTOS, ACTION)
}


def kind_of(data: Data) -> TargetKind:
    """The kind of a stored target."""
    return KINDS[data[CONF_KIND]]


def build_target_config(data: Data, target_id: str, name: str) -> TargetConfig:
    """A target as the engine knows it; also used to test one before it is stored."""
    fields: dict[str, Any] = common(data, target_id, name)
    return kind_of(data).build(data, fields)
