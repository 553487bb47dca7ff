"""Files on a WebDAV server: Nextcloud, ownCloud, a NAS, rclone's or Apache's own.

The checksum that Nextcloud keeps is the one we hand it, so it proves nothing: files are read back.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from yarl import URL

from ..errors import (
    CertificateRefused,
    FileVanished,
    NoWebdav,
    PipelineError,
    TargetAuthFailed,
    TargetFull,
    TargetPathMissing,
    TargetReadOnly,
    TargetUnreachable,
)
from .base import ListedFile
from .outgoing import Outgoing
from .paths import NameTaken, parent_of
from .store import StoredFile, StoreInfo
from .this_machine import is_this_machine
from .webdav_answers import PROPERTIES, Entry, explain, parse_list
from .webdav_chunks import CHUNKED_FROM, send_chunks, uploads_of
from .webdav_config import WebdavTargetConfig

_NEXTCLOUD: Final = ("remote.php/dav/files/{user}", "remote.php/webdav")
_ANSWER_SECONDS: Final = 300
_AGAIN: Final = (0.05, 0.1, 0.2, 0.4, 0.8, None)
"""Seconds before the next try; None is the last one."""
_PIECE: Final = 1 << 20
_LONG_LIST: Final = 256 << 10
_LOST: Final = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


class WebdavStore:
    """See ``Store``."""

    hash_name: str | None = None

    def __init__(self, config: WebdavTargetConfig) -> None:
        """Nothing is connected before the first call."""
        self._config = config
        self._base = config.url.rstrip("/")
        self._folder = config.path.strip("/")
        self._auth = None
        if config.username or config.password:
            self._auth = aiohttp.BasicAuth(config.username or "", config.password or "", "utf-8")
        self._http: aiohttp.ClientSession | None = None
        self._folders: set[str] = set()
        self._making = asyncio.Lock()
        self._no_chunks = False
        self.name = self._folder or "/"

    async def connect(self) -> StoreInfo:
        """Find the WebDAV folder: at the address told, or where a Nextcloud has it.

        Raises NoWebdav, CertificateRefused, TargetAuthFailed, TargetUnreachable.
        """
        host = URL(self._base).host
        if host is None:
            raise NoWebdav(f"{self._base} is no address")
        self._folders.clear()
        self._no_chunks = False
        self._base = await self._find()
        return StoreInfo(f"host:{host.lower()}", not await is_this_machine(host))

    async def _find(self) -> str:
        told = self._config.url.rstrip("/")
        user = quote(self._config.username or "", safe="")
        reason: PipelineError = NoWebdav("no WebDAV at that address")
        for more in ("", *_NEXTCLOUD):
            base = f"{told}/{more.format(user=user)}".rstrip("/")
            try:
                await self._propfind(base + "/", 0, base)
            except TargetUnreachable, CertificateRefused, TargetFull:
                raise
            except TargetAuthFailed as err:  # at the first address it may be another service's
                reason = err
            except PipelineError, ValueError:
                continue
            else:
                return base
        raise reason

    # --- one request ------------------------------------------------------------------------------

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._http is None or self._http.closed:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=max(16, 2 * self._config.parallel), ssl=self._config.verify_tls
                ),
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=10, sock_read=_ANSWER_SECONDS
                ),
                cookie_jar=aiohttp.DummyCookieJar(),  # Nextcloud must not mix up two sessions
                auto_decompress=False,
                headers={"Accept-Encoding": "identity"},
            )
        return self._http

    def _address(self, path: str) -> str:
        return "/".join(
            [
                self._base,
                *(quote(part, safe="") for part in f"{self._folder}/{path}".split("/") if part),
            ]
        )

    @asynccontextmanager
    async def _asked(
        self, method: str, address: str, path: str, **more: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request; connection errors become ours."""
        try:
            async with self._session.request(
                method,
                URL(address, encoded=True),
                auth=self._auth,
                allow_redirects=False,
                **more,
            ) as answer:
                yield answer
        except aiohttp.ClientConnectorCertificateError as err:
            raise CertificateRefused(str(err), path=path) from err
        except (aiohttp.ClientError, TimeoutError, OSError) as err:
            raise TargetUnreachable(f"WebDAV: {type(err).__name__}: {err}", path=path) from err

    async def _do(
        self,
        method: str,
        path: str,
        good: Mapping[int, bool],
        *,
        headers: Mapping[str, str] | None = None,
        data: Any = None,
    ) -> bool:
        """A request without an interesting body; again when the connection was dead, or it was
        locked: some servers lock a folder for each change in it.

        ``good`` says which statuses are no error, and what to return for them.
        """
        for wait in _AGAIN:
            try:
                async with self._asked(
                    method, self._address(path), path, headers=headers, data=data
                ) as answer:
                    await answer.read()
            except TargetUnreachable as err:
                if wait is None or not isinstance(err.__cause__, _LOST):
                    raise
            else:
                if answer.status in good:
                    return good[answer.status]
                if answer.status != HTTPStatus.LOCKED or wait is None:
                    raise explain(answer.status, path)
            await asyncio.sleep(wait)
        raise AssertionError

    async def _propfind(self, address: str, depth: int, path: str) -> list[Entry]:
        headers = {"Depth": str(depth), "Content-Type": "application/xml; charset=utf-8"}
        for last in (False, True):
            try:
                async with self._asked(
                    "PROPFIND", address, path, headers=headers, data=PROPERTIES
                ) as answer:
                    body = await answer.read()
                break
            except TargetUnreachable as err:
                if last or not isinstance(err.__cause__, _LOST):
                    raise
        if answer.status != 207:
            raise explain(answer.status, path)
        try:
            if len(body) < _LONG_LIST:
                return parse_list(body)
            return await asyncio.to_thread(parse_list, body)
        except ValueError as err:
            raise NoWebdav(f"the answer is no list of files: {err}", path=path) from err

    # --- the store --------------------------------------------------------------------------------

    async def look(self, path: str, *, digest: bool = False) -> StoredFile | None:
        """See ``Store.look``."""
        try:
            entries = await self._propfind(self._address(path), 0, path)
        except FileVanished:
            return None
        if not entries:
            return None
        return StoredFile(entries[0].size or 0, entries[0].folder)

    async def read(self, path: str) -> AsyncGenerator[bytes]:
        """See ``Store.read``."""
        async with self._asked("GET", self._address(path), path) as answer:
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
        try:
            if not await self._send_chunks(outgoing, path, headers):
                await self._put(path, outgoing.pieces(), outgoing.size, headers)
        except PipelineError:
            if outgoing.error is not None:
                raise outgoing.error from None
            raise

    async def _send_chunks(self, outgoing: Outgoing, path: str, headers: Mapping[str, str]) -> bool:
        """Large files, to a Nextcloud; False where that can't be done."""
        uploads = uploads_of(self._base)
        if uploads is None or outgoing.size < CHUNKED_FROM or self._no_chunks:
            return False

        async def arrived() -> bool:
            there = await self.look(path)
            return there is not None and there.size == outgoing.size

        sent = await send_chunks(
            self._asked,
            uploads,
            outgoing,
            self._address(path),
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
        async with self._asked(
            "PUT", self._address(path), path, headers=more, data=data, timeout=timeout
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
        await self._do("MKCOL", path, {201: True, 405: False})

    async def _make_root(self) -> None:
        whole, parts = self._folder, self._folder.split("/")
        try:
            for count in range(1, len(parts) + 1):
                self._folder = "/".join(parts[:count])
                if await self.look("") is None:
                    await self._make("")
        except (FileVanished, TargetReadOnly) as err:
            raise TargetPathMissing(err.detail, path=whole) from err
        finally:
            self._folder = whole

    async def remove_root(self) -> None:
        """See ``Store.remove_root``."""
        if self._folder and await self.list_folder("") == ([], []):
            await self._do("DELETE", "", {200: True, 204: True, 404: False})

    async def move(self, source: str, path: str, *, replace: bool) -> None:
        """See ``Store.move``."""
        headers = {"Destination": self._address(path), "Overwrite": "T" if replace else "F"}
        if not await self._do("MOVE", source, {201: True, 204: True, 412: False}, headers=headers):
            raise NameTaken(path)

    async def remove(self, path: str) -> None:
        """See ``Store.remove``."""
        with suppress(FileVanished):
            await self._do("DELETE", path, {200: True, 202: True, 204: True})

    async def list_folder(self, path: str) -> tuple[list[ListedFile], list[str]]:
        """See ``Store.list_folder``."""
        address = self._address(path)
        try:
            entries = await self._propfind(address + "/", 1, path)
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
            [entry] = await self._propfind(self._address(path), 0, path)
            changed = parsedate_to_datetime(entry.changed or "")
        except FileVanished, ValueError:
            return None
        return (datetime.now(UTC) - changed).total_seconds()

    async def free_bytes(self) -> int | None:
        """See ``Store.free_bytes``: a quota, where the server knows one."""
        entries = await self._propfind(self._address("") + "/", 0, self.name)
        return entries[0].free if entries else None

    async def close(self) -> None:
        """See ``Store.close``."""
        session, self._http = self._http, None
        if session is not None:
            await session.close()
