"""A folder on any remote of an rclone that the user runs."""

from .base import TargetIdentity
from .rclone_config import RcloneTargetConfig
from .rclone_store import RcloneStore
from .store_target import StoreTarget


class RcloneTarget(StoreTarget):
    """Google Drive, Dropbox, OneDrive, SMB and the other 70 kinds of storage that rclone knows."""

    kind = "rclone"

    def __init__(self, config: RcloneTargetConfig, identity: TargetIdentity) -> None:
        """``identity`` is what an earlier ``open`` told; empty for a place never used before."""
        super().__init__(config, identity, RcloneStore(config))
