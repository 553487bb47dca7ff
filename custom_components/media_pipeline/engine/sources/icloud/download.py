"""The bytes behind a download address: streamed, resumable, many at once.

The addresses need no cookie and do not go through pyicloud; they end after about an hour.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from ...errors import (
    EncodedBody,
    ErrorBody,
    FileVanished,
    SourceBadAnswer,
    SourceUnreachable,
    ThrottledError,
    UrlExpired,
)
from ..base import Download
from ..http import retry_after, ssl_context

_BUFFER: Final = 1 << 20
_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)$")
_TEXT_TYPES: Final = ("application/json", "text/json", "text/html")
_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=15, sock_read=60)
_PER_HOST: Final = 32
# One overloaded host of many says nothing about the others; the pacer doubles this each time.
_GUESS: Final = 4.0


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
    status = response.status
    if status == 416:
        size = response.headers.get("Content-Range", "").rpartition("/")[2]
        if size.isdecimal() and int(size) == offset:
            return Download(offset, offset, _nothing())
        raise SourceBadAnswer(f"the range from {offset} is refused, the length is {size or '?'}")
    if status not in {200, 206}:
        raise _refusal(response)
    if response.content_type in _TEXT_TYPES:
        raise ErrorBody(f"{response.content_type} instead of a photo or video")
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding != "identity":
        raise EncodedBody(f"plain bytes were asked for, {encoding} came")
    length = response.content_length
    if status == 200:
        return Download(0, length, _pieces(response))
    match = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
    if match is None or int(match[1]) != offset:
        raise SourceBadAnswer(f"asked from {offset}: {response.headers.get('Content-Range')}")
    total = None if match[3] == "*" else int(match[3])
    return Download(offset, total, _pieces(response))


def _refusal(response: aiohttp.ClientResponse) -> Exception:
    status = response.status
    if status in {401, 403, 410, 421}:
        return UrlExpired(f"HTTP {status}")
    if status == 404:
        return FileVanished("HTTP 404")
    if status in {429, 503}:
        wait = retry_after(response.headers, guess=_GUESS)
        return ThrottledError(f"HTTP {status}", retry_after=wait)
    if status >= 500:
        return SourceUnreachable(f"HTTP {status}")
    return SourceBadAnswer(f"HTTP {status}")


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
