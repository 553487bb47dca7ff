"""Requests to a WebDAV server: where its folder is, one connection pool, and lists of files."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from yarl import URL

from ..errors import (
    CertificateRefused,
    NoWebdav,
    PipelineError,
    TargetAuthFailed,
    TargetFull,
    TargetUnreachable,
)
from .webdav_answers import PROPERTIES, Entry, explain, parse_list
from .webdav_config import WebdavTargetConfig

_NEXTCLOUD: Final = ("remote.php/dav/files/{user}", "remote.php/webdav")
_ANSWER_SECONDS: Final = 300
_AGAIN: Final = (0.05, 0.1, 0.2, 0.4, 0.8, None)
"""Seconds before the next try; None is the last one."""
_LONG_LIST: Final = 256 << 10
_LOST: Final = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


class WebdavClient:
    """Speaks to one server. Paths are below the target's folder there."""

    def __init__(self, config: WebdavTargetConfig) -> None:
        """Nothing is connected before the first call."""
        self._config = config
        self.base = config.url.rstrip("/")
        """Address of the server's WebDAV folder; see ``find``."""
        self.folder = config.path.strip("/")
        """The target's folder below that."""
        self._auth = None
        if config.username or config.password:
            self._auth = aiohttp.BasicAuth(config.username or "", config.password or "", "utf-8")
        self._http: aiohttp.ClientSession | None = None

    async def find(self) -> None:
        """Settle the folder's address: as it was told, or where a Nextcloud has it.

        Raises NoWebdav, CertificateRefused, TargetAuthFailed, TargetUnreachable.
        """
        told = self._config.url.rstrip("/")
        user = quote(self._config.username or "", safe="")
        reason: PipelineError = NoWebdav("no WebDAV at that address")
        for more in ("", *_NEXTCLOUD):
            base = f"{told}/{more.format(user=user)}".rstrip("/")
            try:
                await self.propfind(base + "/", 0, base)
            except TargetUnreachable, CertificateRefused, TargetFull:
                raise
            except TargetAuthFailed as err:  # at the first address it may be another service's
                reason = err
            except PipelineError, ValueError:
                continue
            else:
                self.base = base
                return
        raise reason

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

    def address(self, path: str) -> str:
        """The whole URL of what lies at ``path`` below the target's folder."""
        return "/".join(
            [
                self.base,
                *(quote(part, safe="") for part in f"{self.folder}/{path}".split("/") if part),
            ]
        )

    @asynccontextmanager
    async def asked(
        self, method: str, address: str, path: str, **more: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request; errors of the connection become ours."""
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

    async def do(
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
                async with self.asked(
                    method, self.address(path), path, headers=headers, data=data
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

    async def propfind(self, address: str, depth: int, path: str) -> list[Entry]:
        """What a server says of an address, and with depth 1 of what lies in it.

        Raises FileVanished, NoWebdav and what ``explain`` makes of other statuses.
        """
        headers = {"Depth": str(depth), "Content-Type": "application/xml; charset=utf-8"}
        for last in (False, True):
            try:
                async with self.asked(
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

    async def close(self) -> None:
        """Let go of connections; the next request makes new ones."""
        session, self._http = self._http, None
        if session is not None:
            await session.close()
