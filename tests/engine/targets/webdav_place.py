"""Places on real WebDAV servers that behave differently."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

from custom_components.media_pipeline.engine.targets.webdav_config import WebdavTargetConfig
from tests.support import rclone, wsgidav_server

from .place import Place

WEBDAV_KINDS = ("webdav-rclone", "webdav-wsgidav")


@dataclass(slots=True)
class WebdavServers:
    """Both servers; each serves a folder of its own."""

    base: Path
    rclone: rclone.Rclone
    wsgidav: wsgidav_server.WsgidavServer
    rclone_port: int = 0

    @property
    def rclone_url(self) -> str:
        """Started when it is first asked for: it may be missing on this machine."""
        if not self.rclone_port:
            self.rclone_port = self.rclone.serve_webdav(self.base / "rclone")
        return f"http://127.0.0.1:{self.rclone_port}"

    def close(self) -> None:
        self.rclone.close()
        self.wsgidav.close()

    def place(self, kind: str) -> WebdavPlace:
        """A folder that is not there yet, below another that is not either."""
        name = token_hex(8)
        if kind == "webdav-rclone":
            login = (self.rclone_url, rclone.USER, "dav")
            root = self.base / "rclone"
        else:
            login = (self.wsgidav.url, wsgidav_server.USER, wsgidav_server.PASSWORD)
            root = self.base / "wsgidav"
        return WebdavPlace(kind, root / name / "ph oto+s", login=login, path=f"{name}/ph oto+s")


@dataclass(slots=True)
class WebdavPlace(Place):
    """A folder on a server, which keeps it in a folder here."""

    login: tuple[str, str, str] = ("", "", "")
    path: str = ""

    def config(self, **changes: Any) -> WebdavTargetConfig:
        url, user, password = self.login
        values: dict[str, Any] = {
            "target_id": "webdav-test",
            "name": "WebDAV",
            "url": url,
            "username": user,
            "password": password,
            "path": self.path,
            "reserve_bytes": 0,
        }
        return WebdavTargetConfig(**(values | changes))

    @property
    def is_folder(self) -> bool:
        """The folder behind it belongs to the server."""
        return False

    @property
    def tells_space(self) -> bool:
        return self.kind == "webdav-wsgidav"

    @property
    def domain(self) -> tuple[str, ...]:
        return ("host:127.0.0.1",)

    async def close(self) -> None:
        await super(WebdavPlace, self).close()
        shutil.rmtree(self.root.parent, ignore_errors=True)
