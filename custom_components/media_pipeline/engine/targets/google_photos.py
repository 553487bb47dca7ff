"""Google Photos, through an rclone: it takes photos and gives none back, so it holds no copies.

Google lists only what the same application uploaded, tells no size and no hash, gives back other
bytes than it got, and lets nothing be renamed or removed. No marker can lie there: which account
it is, only rclone's configuration knows.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from ..bandwidth import Bandwidth
from ..errors import (
    FileVanished,
    NotGooglePhotos,
    PhotoRefused,
    RcloneFailed,
    TargetUnreachable,
)
from ..model import Content
from .base import Delivery, TargetIdentity, TargetInfo
from .only_takes import OnlyTakes
from .outgoing import Outgoing
from .paths import check_path
from .rclone_checks import check_rclone, find_remote, pace, sees
from .rclone_client import JobLost, RcloneClient
from .rclone_config import RcloneTargetConfig, split_remote
from .rclone_remote import Remote

_TYPE: Final = "google photos"
_UPLOAD: Final = "upload"
_ALBUM: Final = "album"
_EVERYTHING: Final = "media/all"
_AS_IT_IS: Final = {"IgnoreTimes": True, "NoCheckDest": True}
"""Looking whether a name is taken would list the whole album for every photo, and names are
not what Google tells photos apart by: it knows the same bytes again."""
_REFUSED: Final = ("(3)", "(9)", "(11)")
"""Google's codes for what is wrong with the file itself, at the end of rclone's text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GooglePhotosTargetConfig(RcloneTargetConfig):
    """A remote of the type ``google photos``: ``gphotos:``, or ``gphotos:album/Name``."""

    kind: ClassVar[str] = "google_photos"
    content: Content = Content.MOTION_PHOTOS
    parallel: int = 4
    hand_off: bool = True


class GooglePhotosTarget(OnlyTakes):
    """Hands files over once, and can look which names are listed."""

    kind = "google_photos"

    def __init__(self, config: GooglePhotosTargetConfig, identity: TargetIdentity) -> None:
        """``identity`` means nothing here. Raises RcloneRemoteUnknown."""
        super().__init__("Google Photos", config.name)
        self._config = config
        self._fs, self._root = split_remote(config.remote)
        self._folder = ""
        self._rclone = RcloneClient(config)
        self._limit = Bandwidth(config.bandwidth) if config.bandwidth else None
        self._slots = asyncio.Semaphore(max(1, config.parallel))
        self._opening = asyncio.Lock()

    async def open(self) -> TargetInfo:
        """See ``Target.open``. Albums are listed, which needs the login; nothing is written.

        Raises NotGooglePhotos, and what the errors of rclone are named.
        """
        async with self._opening:
            await check_rclone(self._rclone)
            remote = await find_remote(self._rclone, self._fs)
            folder = self._folder_on(remote)
            self._fs = f"{remote.base_name}:"
            await self._list(_ALBUM)
            self._folder = folder
        return TargetInfo(
            identity=TargetIdentity(),
            free_bytes=None,
            domain=remote.domain(self._rclone.host),
            off_machine=True,
            remote_hash=False,
        )

    def _folder_on(self, remote: Remote) -> str:
        """Where photos are handed in. Raises NotGooglePhotos."""
        if remote.type != _TYPE:
            # crypt and the like would make of photos what Google takes for none
            raise NotGooglePhotos(f"the remote is of the type {remote.type}")
        if str(remote.base.get("read_only")).lower() == "true":
            raise NotGooglePhotos("the remote is read-only")
        if remote.base.get("batch_mode") == "async":
            raise NotGooglePhotos("batch_mode = async does not say whether a photo was taken")
        folder = f"{remote.base_path}/{self._root}".strip("/") or _UPLOAD
        top, _, album = folder.partition("/")
        if folder != _UPLOAD and not (top == _ALBUM and album):
            raise NotGooglePhotos(f"nothing can be uploaded to {folder}")
        return folder

    async def deliver(
        self,
        source: Path,
        path: str,
        *,
        size: int,
        sha256: str,
        mtime: float,
        replace: bool = False,
        on_bytes: Callable[[int], None] | None = None,
    ) -> Delivery:
        """Hand a file over under its own name. Raises PhotoRefused for what Google won't take.

        It is read and hashed before anything is sent: there is no taking back. When nobody saw the
        end it is sent again, and Google knows the same bytes again.
        """
        check_path(path)
        async with self._slots:
            if not self._folder:
                await self.open()
            name = path.rpartition("/")[2]
            await Outgoing(source, size, sha256).check()
            try:
                outgoing = Outgoing(source, size, sha256, limit=self._limit, on_bytes=on_bytes)
                await self._send(outgoing, name)
            except JobLost as err:
                raise TargetUnreachable("rclone was started anew", path=path) from err
            except RcloneFailed as err:
                if "upload failed:" in err.detail and err.detail.endswith(_REFUSED):
                    raise PhotoRefused(err.detail, path=path) from err
                raise
        return Delivery(f"{self._folder}/{name}", size)

    async def _send(self, outgoing: Outgoing, name: str) -> None:
        if await sees(self._rclone, outgoing):
            await self._rclone.run_job(
                "operations/copyfile",
                path=name,
                config=_AS_IT_IS | pace(self._config),
                srcFs="/",
                srcRemote=str(outgoing.source).lstrip("/"),
                dstFs=self._fs,
                dstRemote=f"{self._folder}/{name}",
            )
            outgoing.moved(outgoing.size)
            return
        # rclone gathers the file before it sends it on, so a limit is kept on average only
        with outgoing.explained():
            await self._rclone.upload(self._fs, self._folder, name, outgoing.pieces(), name)

    async def listed(self) -> Counter[str]:
        """File names that Google shows, each as often as it does. No proof of anything.

        Of the album, or of everything that the same application uploaded.
        """
        if not self._folder:
            await self.open()
        folder = _EVERYTHING if self._folder == _UPLOAD else self._folder
        try:
            items = await self._list(folder)
        except FileVanished:  # an album that was never made
            return Counter()
        return Counter(_own_name(item) for item in items if not item.get("IsDir"))

    async def _list(self, folder: str) -> list[dict[str, Any]]:
        """As a job, because long lists take longer than one call may."""
        opt = {"noModTime": True, "noMimeType": True}
        try:
            answer = await self._rclone.run_job(
                "operations/list", path=folder, fs=self._fs, remote=folder, opt=opt
            )
        except JobLost as err:
            raise TargetUnreachable("rclone was started anew", path=folder) from err
        return list(answer.get("list") or [])

    async def close(self) -> None:
        """See ``Target.close``."""
        await self._rclone.close()


def _own_name(item: dict[str, Any]) -> str:
    """As it was uploaded: rclone puts Google's id into names that it sees twice."""
    name = str(item.get("Name") or "")
    return name.replace(f" {{{item.get('ID')}}}", "")
