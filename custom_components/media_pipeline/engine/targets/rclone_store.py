"""Files on a remote of rclone. rclone is an executor that may be wrong: it answers ``{}`` also when
it skipped, so nothing it says to have done is believed before it was looked at."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import Any, Final

from ..errors import (
    FileVanished,
    PipelineError,
    RcloneFailed,
    RcloneNoServe,
    RcloneRemoteUnknown,
    RcloneUnsuitable,
    TargetUnavailableError,
    TargetUnreachable,
)
from .base import ListedFile
from .outgoing import Outgoing
from .paths import NameTaken, parent_of
from .rclone_checks import check_rclone, find_remote, pace, sees
from .rclone_client import JobLost, RcloneClient
from .rclone_config import RcloneTargetConfig, split_remote
from .rclone_remote import CLOUDS
from .store import StoredFile, StoreInfo
from .tasks import run_together
from .this_machine import is_this_machine

_ALWAYS: Final = {"IgnoreTimes": True, "Inplace": True}
"""Never skip because size and time look alike; no other part file than ours."""


class RcloneStore:
    """See ``Store``."""

    hash_name: str | None = None

    def __init__(self, config: RcloneTargetConfig) -> None:
        """Raises RcloneRemoteUnknown for a remote that can't be one."""
        self._config = config
        self._fs, self._root = split_remote(config.remote)
        self._rclone = RcloneClient(config)
        self._streams = True
        self.name = config.remote

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}".strip("/")

    async def connect(self) -> StoreInfo:
        """Raises what the errors of rclone are named, see docs/troubleshooting.md."""
        await check_rclone(self._rclone)
        rclone_here = await is_this_machine(self._rclone.host)
        remote = await find_remote(self._rclone, self._fs)
        if remote.base_type == "google photos":
            raise RcloneUnsuitable("Google Photos gives other bytes back: it has its own kind")
        try:
            info = await self._rclone.call("operations/fsinfo", fs=self._fs)
        except (FileVanished, RcloneFailed) as err:
            raise RcloneRemoteUnknown(err.detail) from err
        features = info.get("Features") or {}
        if not (features.get("Move") or features.get("Copy")):
            raise RcloneUnsuitable("this kind of remote can't rename files")
        self._streams = bool(features.get("PutStream"))
        self.hash_name = remote.hash_name(list(info.get("Hashes") or []))
        if remote.base_type == "local":
            off_machine = not rclone_here
        elif remote.host is not None:
            off_machine = not await is_this_machine(remote.host)
        else:
            off_machine = remote.base_type in CLOUDS
        return StoreInfo(remote.domain(self._rclone.host), off_machine)

    async def look(self, path: str, *, digest: bool = False) -> StoredFile | None:
        """See ``Store.look``; of folders only the root is seen."""
        options: dict[str, Any] = {"noMimeType": True, "noModTime": True}
        if path:
            options["filesOnly"] = True
        if digest and self.hash_name:
            options |= {"showHash": True, "hashTypes": [self.hash_name]}
        try:
            answer = await self._rclone.call(
                "operations/stat", path=path, fs=self._fs, remote=self._at(path), opt=options
            )
        except FileVanished:
            return None
        item = answer.get("item")
        if not isinstance(item, dict):
            return None
        hashes = item.get("Hashes") or {}
        return StoredFile(
            int(item.get("Size", -1)),
            bool(item.get("IsDir")),
            tuple((name, str(value).lower()) for name, value in hashes.items() if value),
        )

    async def read(self, path: str) -> AsyncGenerator[bytes]:
        """See ``Store.read``: rclone serves the file, so the bytes are hashed by us."""
        try:
            async with aclosing(self._rclone.read(self._fs, self._at(path), path)) as pieces:
                async for piece in pieces:
                    yield piece
        except RcloneNoServe as err:
            if await self.look(path) is None:
                raise FileVanished(f"{path} is not there", path=path) from err
            raise

    async def send(self, outgoing: Outgoing, path: str) -> None:
        """See ``Store.send``. An rclone that sees our file reads it itself."""
        by_rclone = self._config.bandwidth is None or not self._streams
        if by_rclone and await sees(self._rclone, outgoing):
            await self._copy(outgoing, path)
        else:
            await self._stream(outgoing, path)

    async def _copy(self, outgoing: Outgoing, path: str) -> None:
        told = 0

        def report(total: int) -> None:
            nonlocal told
            total = min(total, outgoing.size)
            outgoing.moved(total - told)
            told = max(told, total)

        # side by side, so that the disk is asked once for what both read
        await run_together([outgoing.check(), self._copy_job(outgoing, path, report)])
        report(outgoing.size)

    async def _copy_job(self, outgoing: Outgoing, path: str, report: Any) -> None:
        try:
            await self._rclone.run_job(
                "operations/copyfile",
                path=path,
                config=_ALWAYS | pace(self._config),
                on_total=report,
                srcFs="/",
                srcRemote=str(outgoing.source).lstrip("/"),
                dstFs=self._fs,
                dstRemote=self._at(path),
            )
        except JobLost as err:  # it was started anew; perhaps the job had ended before
            there = await self.look(path)
            if there is None or there.size != outgoing.size:
                raise TargetUnreachable("rclone was started anew", path=path) from err

    async def _stream(self, outgoing: Outgoing, path: str) -> None:
        at = self._at(path)
        with outgoing.explained():
            await self._rclone.upload(
                self._fs,
                parent_of(at),
                at.rpartition("/")[2],
                outgoing.pieces(),
                path,
            )

    async def write_small(self, path: str, data: bytes) -> None:
        """See ``Store.write_small``."""

        async def pieces() -> AsyncGenerator[bytes]:
            yield data

        at = self._at(path)
        await self._rclone.upload(self._fs, parent_of(at), at.rpartition("/")[2], pieces(), path)

    async def make_folder(self, path: str) -> None:
        """See ``Store.make_folder``; rclone makes those below the root with their files."""
        if not path:
            await self._rclone.call("operations/mkdir", fs=self._fs, remote=self._root)

    async def remove_root(self) -> None:
        """See ``Store.remove_root``."""
        if self._root:
            await self._rclone.call("operations/rmdir", fs=self._fs, remote=self._root)

    async def move(self, source: str, path: str, *, replace: bool) -> None:
        """See ``Store.move``. Told not to, rclone leaves an existing file alone and says ``{}``."""
        try:
            await self._rclone.run_job(
                "operations/movefile",
                path=path,
                config={"IgnoreTimes": True} if replace else {"IgnoreExisting": True},
                srcFs=self._fs,
                srcRemote=self._at(source),
                dstFs=self._fs,
                dstRemote=self._at(path),
            )
        except JobLost as err:
            if await self.look(source) is not None:
                raise TargetUnreachable("rclone was started anew", path=path) from err
        except RcloneFailed as err:
            if "is a directory" in err.detail:
                raise NameTaken(path) from err
            raise
        if await self.look(source) is not None:
            if await self.look(path) is not None and not replace:
                raise NameTaken(path)
            raise RcloneFailed("rclone said that it renamed a file, and did not", path=path)

    async def remove(self, path: str) -> None:
        """See ``Store.remove``."""
        with suppress(FileVanished):
            await self._rclone.call(
                "operations/deletefile", path=path, fs=self._fs, remote=self._at(path)
            )

    async def list_folder(self, path: str) -> tuple[list[ListedFile], list[str]]:
        """See ``Store.list_folder``."""
        try:
            answer = await self._rclone.call(
                "operations/list",
                path=path,
                fs=self._fs,
                remote=self._at(path),
                opt={"noModTime": True, "noMimeType": True},
            )
        except FileVanished:
            return [], []
        files: list[ListedFile] = []
        folders: list[str] = []
        for item in answer.get("list") or []:
            inside = f"{path}/{item['Name']}".lstrip("/")
            if item.get("IsDir"):
                folders.append(inside)
            else:
                files.append(ListedFile(inside, int(item["Size"])))
        return files, folders

    async def age(self, path: str) -> float | None:
        """See ``Store.age``."""
        answer = await self._rclone.call(
            "operations/stat", fs=self._fs, remote=self._at(path), opt={"filesOnly": True}
        )
        try:
            changed = datetime.fromisoformat(str((answer.get("item") or {})["ModTime"]))
        except KeyError, ValueError:
            return None
        return (datetime.now(UTC) - changed).total_seconds()

    async def free_bytes(self) -> int | None:
        """See ``Store.free_bytes``; many kinds of remotes can't say."""
        try:
            answer = await self._rclone.call("operations/about", fs=self._about_fs)
        except TargetUnavailableError:
            raise
        except PipelineError:
            return None
        free = answer.get("free")
        return int(free) if free is not None else None

    @property
    def _about_fs(self) -> str:
        # the root's own file system counts, which may be another than that of "/"
        return f"{self._fs}{self._root}" if self._fs == "/" else self._fs

    async def close(self) -> None:
        """See ``Store.close``."""
        await self._rclone.close()
