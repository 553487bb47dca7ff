"""Making targets from their configuration, and trying one out before it is stored."""

from collections.abc import Callable
from typing import Any, Final

from ..config import FolderTargetConfig, SftpTargetConfig, TargetConfig
from .action import ActionTarget, ActionTargetConfig
from .base import Target, TargetIdentity, TargetInfo
from .encrypted import EncryptedTarget
from .folder import FolderTarget
from .google_photos import GooglePhotosTarget, GooglePhotosTargetConfig
from .object_store import ObjectStoreTarget
from .object_store_config import AzureTargetConfig, GcsTargetConfig, S3TargetConfig
from .phone import PhoneTarget, PixelTargetConfig
from .rclone import RcloneTarget
from .rclone_config import RcloneTargetConfig
from .sftp import SftpTarget
from .webdav import WebdavTarget
from .webdav_config import WebdavTargetConfig

_KINDS: Final[dict[type[TargetConfig], Callable[[Any, TargetIdentity], Target]]] = {
    FolderTargetConfig: FolderTarget,
    SftpTargetConfig: SftpTarget,
    ActionTargetConfig: ActionTarget,
    PixelTargetConfig: PhoneTarget,
    S3TargetConfig: ObjectStoreTarget,
    GcsTargetConfig: ObjectStoreTarget,
    AzureTargetConfig: ObjectStoreTarget,
    RcloneTargetConfig: RcloneTarget,
    GooglePhotosTargetConfig: GooglePhotosTarget,
    WebdavTargetConfig: WebdavTarget,
}
"""A new kind of target is a new file beside this one, and a line here."""


def make_target(config: TargetConfig, identity: TargetIdentity) -> Target:
    """The target that ``config`` describes, not yet open. ``identity`` is what was remembered."""
    target = _KINDS[type(config)](config, identity)
    if config.encryption is None:
        return target
    return EncryptedTarget(target, config.target_id, config.encryption)


async def probe_target(config: TargetConfig, identity: TargetIdentity | None = None) -> TargetInfo:
    """Connect, write, publish, read back and remove a small file.

    Without ``identity`` the folder is marked as ours; with one it must carry that marker. Leaves
    nothing but the marker, and not even that when anything fails. Raises what ``Target.open``
    raises; the returned identity is to be stored.
    """
    target = make_target(config, identity or TargetIdentity())
    try:
        return await target.open()
    finally:
        await target.close()
