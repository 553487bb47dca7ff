"""Places that are reached through a real rclone, one remote control for all of them."""

import asyncio
import shutil
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from custom_components.media_pipeline.engine.targets.rclone_config import RcloneTargetConfig
from tests.support.rclone import PASSWORD, USER, Rclone, find_rclone
from tests.support.sshd import RealSshd, find_sshd

from .place import Place

RCLONE_KINDS = ("rclone-local", "rclone-sftp", "rclone-webdav", "rclone-s3")


def _run(work: Coroutine[Any, Any, object]) -> None:
    """For a fixture of the whole session, while the loop of a test runs."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


def need_rclone() -> None:
    if find_rclone() is None:
        pytest.skip("rclone is not there: scripts/setup --all")


@dataclass(slots=True)
class RcloneServers:
    """rclone's remote control, and the servers behind its remotes."""

    base: Path
    rclone: Rclone
    sshd: RealSshd | None = None

    def start(self) -> None:
        """Start everything; the remotes lead below ``base``."""
        for name in ("local", "webdav", "s3/bucket", "sftp"):
            (self.base / name).mkdir(parents=True)
        rclone = self.rclone
        dav = rclone.serve_webdav(self.base / "webdav")
        rclone.remote(
            "webdav",
            type="webdav",
            url=f"http://127.0.0.1:{dav}",
            vendor="rclone",
            user=USER,
            **{"pass": rclone.obscure("dav")},
        )
        s3 = rclone.serve_s3(self.base / "s3")
        rclone.remote("s3", endpoint=f"http://127.0.0.1:{s3}", **rclone.s3_options)
        if find_sshd() is not None:
            self.sshd = RealSshd(self.base)
            _run(self.sshd.start())
            key = rclone.work / "key"
            key.write_text(self.sshd.private_key)
            key.chmod(0o600)
            login = {
                "type": "sftp",
                "host": "127.0.0.1",
                "port": self.sshd.port,
                "user": self.sshd.access.username,
                "key_file": key,
            }
            rclone.remote("sftp-shell", **login)
            # a login shell may be slow to start, and every hash starts one
            rclone.remote("sftp", shell_type="none", **login)
        rclone.start()

    def close(self) -> None:
        """End everything."""
        self.rclone.close()
        if self.sshd is not None:
            _run(self.sshd.close())

    def place(self, kind: str) -> RclonePlace:
        """A fresh empty folder at one of the remotes."""
        name = token_hex(8)
        match kind:
            case "rclone-local":
                root = self.base / "local" / name
                remote = str(root)
            case "rclone-sftp" | "rclone-sftp-shell":
                if self.sshd is None:
                    pytest.skip("sshd is not installed: scripts/setup --all")
                root = self.base / "sftp" / name
                remote = f"{kind.removeprefix('rclone-')}:{root}"
            case "rclone-webdav":
                root, remote = self.base / "webdav" / name, f"webdav:{name}"
            case _:
                root, remote = self.base / "s3" / "bucket" / name, f"s3:bucket/{name}"
        root.mkdir()
        return RclonePlace(kind, root, remote=remote, rclone=self.rclone)


@dataclass(slots=True)
class RclonePlace(Place):
    """A folder at a remote; the remote's server keeps it in a folder here."""

    remote: str = ""
    rclone: Rclone = field(kw_only=True)

    def config(self, **changes: Any) -> RcloneTargetConfig:
        """WebDAV and S3 get the bytes from us, the others let rclone read our file."""
        values: dict[str, Any] = {
            "target_id": "rclone-test",
            "name": "rclone",
            "url": self.rclone.url,
            "username": USER,
            "password": PASSWORD,
            "remote": self.remote,
            "reserve_bytes": 0,
        }
        if self.kind in {"rclone-webdav", "rclone-s3"}:
            values["bandwidth"] = 1 << 40
        return RcloneTargetConfig(**(values | changes))

    @property
    def is_folder(self) -> bool:
        """The folder behind it belongs to the server."""
        return False

    @property
    def remote_hash(self) -> bool:
        return self.kind == "rclone-local"

    @property
    def tells_space(self) -> bool:
        return self.kind in {"rclone-local", "rclone-sftp"}

    @property
    def domain(self) -> tuple[str, ...]:
        return ("rclone-machine:", "host:127.0.0.1")

    async def close(self) -> None:
        await super(RclonePlace, self).close()
        shutil.rmtree(self.root, ignore_errors=True)
