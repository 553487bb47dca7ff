"""The bytes behind a download address, streamed within this process; see ``fetching`` for children.

The addresses need no cookie and do not go through pyicloud; they end after about an hour.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from ...errors import SourceUnreachable, UrlExpired
from ...fetching.answers import judge
from ..base import Download
from ..http import ssl_context

_BUFFER: Final = 1 << 20
_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=15, sock_read=60)
_PER_HOST: Final = 32


class Downloads:
    """The connections to the content hosts; belongs to one event loop."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._opening = asyncio.Lock()

    async def open(self) -> aiohttp.ClientSession:
        """The client session, made at first use."""
        async with self._opening:
            if self._session is None or self._session.closed:
                context = await asyncio.to_thread(ssl_context)
                self._session = aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(limit_per_host=_PER_HOST, ssl=context),
                    timeout=_TIMEOUT,
                    trust_env=True,
                    auto_decompress=False,
                    read_bufsize=_BUFFER,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    headers={"Accept-Encoding": "identity"},
                )
            return self._session

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @asynccontextmanager
    async def fetch(self, url: str, offset: int = 0) -> AsyncIterator[Download]:
        """Open a stream from ``offset`` on.

        Raises UrlExpired, SourceUnreachable, ThrottledError, FileVanished, ErrorBody,
        EncodedBody, SourceBadAnswer (a range that was not asked for).
        """
        session = await self.open()
        if urlsplit(url).scheme != "https":
            raise UrlExpired("not a download address")
        target = URL(url.replace("{", "%7B").replace("}", "%7D"), encoded=True)
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        try:
            response = await session.get(target, headers=headers)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise SourceUnreachable(type(error).__name__) from error
        try:
            yield _opened(response, offset)
        finally:
            # An unfinished body can't be reused; a finished one has returned its connection.
            response.close()


def _opened(response: aiohttp.ClientResponse, offset: int) -> Download:
    opening = judge(response.status, response.headers, offset)
    pieces = _nothing() if opening.empty else _pieces(response)
    return Download(opening.offset, opening.total, pieces)


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


async def _pieces(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The bytes as they come; who writes them gathers them."""
    try:
        async for data in response.content.iter_any():
            yield data
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise SourceUnreachable(type(error).__name__) from error
