"""Files on a WebDAV server: Nextcloud, ownCloud, a NAS, rclone's or Apache's own.

The checksum that Nextcloud keeps is the one we hand it, so it proves nothing: files are read back.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import aiohttp
from yarl import URL

from ..errors import (
    FileVanished,
    NoWebdav,
    TargetPathMissing,
    TargetReadOnly,
    TargetUnreachable,
)
from .base import ListedFile
from .outgoing import Outgoing
from .paths import NameTaken, parent_of
from .store import StoredFile, StoreInfo
from .this_machine import is_this_machine
from .webdav_answers import explain
from .webdav_chunks import CHUNKED_FROM, send_chunks, uploads_of
from .webdav_client import WebdavClient
from .webdav_config import WebdavTargetConfig

_PIECE: Final = 1 << 20


class WebdavStore:
    """See ``Store``."""

    hash_name: str | None = None

    def __init__(self, config: WebdavTargetConfig) -> None:
        """Nothing is connected before the first call."""
        self._client = WebdavClient(config)
        self._folders: set[str] = set()
        self._making = asyncio.Lock()
        self._no_chunks = False
        self.name = self._client.folder or "/"

    async def connect(self) -> StoreInfo:
        """Find the WebDAV folder: at the address told, or where a Nextcloud has it.

        Raises NoWebdav, CertificateRefused, TargetAuthFailed, TargetUnreachable.
        """
        host = URL(self._client.base).host
        if host is None:
            raise NoWebdav(f"{self._client.base} is no address")
        self._folders.clear()
        self._no_chunks = False
        await self._client.find()
        return StoreInfo(f"host:{host.lower()}", not await is_this_machine(host))

    async def look(self, path: str, *, digest: bool = False) -> StoredFile | None:
        """See ``Store.look``."""
        try:
            entries = await self._client.propfind(self._client.address(path), 0, path)
        except FileVanished:
            return None
        if not entries:
            return None
        return StoredFile(entries[0].size or 0, entries[0].folder)

    async def read(self, path: str) -> AsyncGenerator[bytes]:
        """See ``Store.read``."""
        async with self._client.asked("GET", self._client.address(path), path) as answer:
            if answer.status != 200:
                error = explain(answer.status, path)
                if isinstance(error, TargetReadOnly):  # a folder is in the way, mostly
                    raise FileVanished(error.detail, path=path)
                raise error
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise TargetUnreachable("a proxy packs the files", path=path)
            async for piece in answer.content.iter_chunked(_PIECE):
                yield piece

    async def send(self, outgoing: Outgoing, path: str) -> None:
        """See ``Store.send``; Nextcloud and ownCloud keep the time and the checksum too."""
        headers = {
            "X-OC-Mtime": str(max(0, min(int(outgoing.mtime), 0xFFFFFFFF))),
            "OC-Checksum": f"SHA256:{outgoing.sha256}",
        }
        with outgoing.explained():
            if not await self._send_chunks(outgoing, path, headers):
                await self._put(path, outgoing.pieces(), outgoing.size, headers)

    async def _send_chunks(self, outgoing: Outgoing, path: str, headers: Mapping[str, str]) -> bool:
        """Large files, to a Nextcloud; False where that can't be done."""
        uploads = uploads_of(self._client.base)
        if uploads is None or outgoing.size < CHUNKED_FROM or self._no_chunks:
            return False

        async def arrived() -> bool:
            there = await self.look(path)
            return there is not None and there.size == outgoing.size

        sent = await send_chunks(
            self._client.asked,
            uploads,
            outgoing,
            self._client.address(path),
            path,
            headers=headers,
            arrived=arrived,
        )
        self._no_chunks = not sent
        return sent

    async def write_small(self, path: str, data: bytes) -> None:
        """See ``Store.write_small``."""
        await self._put(path, data, len(data), {})

    async def _put(self, path: str, data: Any, size: int, headers: Mapping[str, str]) -> None:
        more = {
            **headers,
            "Content-Length": str(size),  # many servers refuse a length that is told at the end
            "Content-Type": "application/octet-stream",
            "If-None-Match": "*",
        }
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        async with self._client.asked(
            "PUT", self._client.address(path), path, headers=more, data=data, timeout=timeout
        ) as answer:
            await answer.read()
        if answer.status not in {200, 201, 204}:
            if answer.status == 409:
                self._folders.clear()
            raise explain(answer.status, path)

    async def make_folder(self, path: str) -> None:
        """See ``Store.make_folder``; known ones cost nothing."""
        async with self._making:
            await self._make_folders(path)

    async def _make_folders(self, path: str) -> None:
        if path in self._folders:
            return
        there = await self.look(path)
        if there is None:
            if path:
                await self._make_folders(parent_of(path))
                await self._make(path)
            else:
                await self._make_root()
        elif not there.folder:
            raise TargetPathMissing(f"{path or self.name} is a file", path=path)
        self._folders.add(path)

    async def _make(self, path: str) -> None:
        # 405: somebody was faster
        await self._client.do("MKCOL", path, {201: True, 405: False})

    async def _make_root(self) -> None:
        whole, parts = self._client.folder, self._client.folder.split("/")
        try:
            for count in range(1, len(parts) + 1):
                self._client.folder = "/".join(parts[:count])
                if await self.look("") is None:
                    await self._make("")
        except (FileVanished, TargetReadOnly) as err:
            raise TargetPathMissing(err.detail, path=whole) from err
        finally:
            self._client.folder = whole

    async def remove_root(self) -> None:
        """See ``Store.remove_root``."""
        if self._client.folder and await self.list_folder("") == ([], []):
            await self._client.do("DELETE", "", {200: True, 204: True, 404: False})

    async def move(self, source: str, path: str, *, replace: bool) -> None:
        """See ``Store.move``."""
        headers = {"Destination": self._client.address(path), "Overwrite": "T" if replace else "F"}
        if not await self._client.do(
            "MOVE", source, {201: True, 204: True, 412: False}, headers=headers
        ):
            raise NameTaken(path)

    async def remove(self, path: str) -> None:
        """See ``Store.remove``."""
        with suppress(FileVanished):
            await self._client.do("DELETE", path, {200: True, 202: True, 204: True})

    async def list_folder(self, path: str) -> tuple[list[ListedFile], list[str]]:
        """See ``Store.list_folder``."""
        address = self._client.address(path)
        try:
            entries = await self._client.propfind(address + "/", 1, path)
        except FileVanished:
            return [], []
        files: list[ListedFile] = []
        folders: list[str] = []
        own = URL(address, encoded=True).path.rstrip("/")
        for entry in entries:
            if entry.path == own:
                continue
            inside = f"{path}/{entry.path.rpartition('/')[2]}".lstrip("/")
            if entry.folder:
                folders.append(inside)
            else:
                files.append(ListedFile(inside, entry.size or 0))
        return files, folders

    async def age(self, path: str) -> float | None:
        """See ``Store.age``."""
        try:
            [entry] = await self._client.propfind(self._client.address(path), 0, path)
            changed = parsedate_to_datetime(entry.changed or "")
        except FileVanished, ValueError:
            return None
        return (datetime.now(UTC) - changed).total_seconds()

    async def free_bytes(self) -> int | None:
        """See ``Store.free_bytes``: a quota, where the server knows one."""
        entries = await self._client.propfind(self._client.address("") + "/", 0, self.name)
        return entries[0].free if entries else None

    async def close(self) -> None:
        """See ``Store.close``."""
        await self._client.close()
