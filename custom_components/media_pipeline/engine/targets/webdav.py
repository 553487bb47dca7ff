"""A folder on a WebDAV server, such as Nextcloud."""

from .base import TargetIdentity
from .store_target import StoreTarget
from .webdav_config import WebdavTargetConfig
from .webdav_store import WebdavStore


class WebdavTarget(StoreTarget):
    """Everything goes over one address; nothing but WebDAV itself is asked of the server."""

    kind = "webdav"

    def __init__(self, config: WebdavTargetConfig, identity: TargetIdentity) -> None:
        """``identity`` is what an earlier ``open`` told; empty for a place never used before."""
        super().__init__(config, identity, WebdavStore(config))
