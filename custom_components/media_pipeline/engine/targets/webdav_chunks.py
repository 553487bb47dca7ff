"""Nextcloud's upload in chunks: large files in many small requests, put together by the server.

Proxies, tunnels and PHP's own settings often limit the body of one request. A folder is made below
``remote.php/dav/uploads``, chunks are put into it under their numbers, and moving its ``.file``
makes one file of them. See "chunked file upload" (version 2) in Nextcloud's developer manual.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from secrets import token_hex
from typing import Any, Final

import aiohttp

from ..errors import PipelineError, TargetUnreachable
from .outgoing import Outgoing
from .webdav_answers import explain

CHUNKED_FROM: Final = 64 << 20
"""Smaller files go in one request, which every server takes that is set up for photos."""
_CHUNK: Final = 10 << 20
"""What Nextcloud's own apps send, so that it passes where they do. At least 5 MiB are asked for."""
_MOST_CHUNKS: Final = 10_000
_FILES: Final = "/remote.php/dav/files/"
_UPLOADS: Final = "/remote.php/dav/uploads/"
_LOOKS: Final = (1, 2, 4, 8, 15, *(30,) * 9)
"""Seconds between looks for the file, after a proxy lost patience with the putting together."""

type Ask = Callable[..., AbstractAsyncContextManager[aiohttp.ClientResponse]]
"""``ask(method, address, path, **more)``."""


def uploads_of(base: str) -> str | None:
    """Where chunks go for files below this address; None when it is no Nextcloud's."""
    root, files, user = base.partition(_FILES)
    name = user.split("/")[0]
    return f"{root}{_UPLOADS}{name}" if files and name else None


async def send_chunks(
    ask: Ask,
    uploads: str,
    outgoing: Outgoing,
    destination: str,
    path: str,
    *,
    headers: Mapping[str, str],
    arrived: Callable[[], Any],
) -> bool:
    """Send a file in chunks; False when the server knows no such upload, and nothing was sent.

    ``headers`` are for the whole file; ``arrived()`` awaits whether all of it lies there. Nothing
    is put together unless the file was read to its end and is the right one.
    """
    folder = f"{uploads}/media-pipeline-{token_hex(12)}"
    target = {"Destination": destination}
    async with ask("MKCOL", folder, path, headers=target) as answer:
        await answer.read()
    if answer.status != 201:
        return False
    try:
        await _put_all(ask, folder, outgoing, path, target)
        whole = {**headers, **target, "Overwrite": "F", "OC-Total-Length": str(outgoing.size)}
        await _put_together(ask, folder, path, whole, arrived)
    except BaseException:  # cancelled too: chunks that nobody uses take space for a day
        with suppress(PipelineError, TimeoutError):
            async with asyncio.timeout(20), ask("DELETE", folder, path) as answer:
                await answer.read()
        raise
    return True


async def _put_all(
    ask: Ask, folder: str, outgoing: Outgoing, path: str, target: Mapping[str, str]
) -> None:
    step = max(_CHUNK, -(-outgoing.size // _MOST_CHUNKS))
    pieces = outgoing.pieces()
    rest = _Rest(pieces)
    try:
        for number, begin in enumerate(range(0, outgoing.size, step), 1):
            size = min(step, outgoing.size - begin)
            async with ask(
                "PUT",
                f"{folder}/{number:05}",
                path,
                headers={**target, "Content-Length": str(size)},
                data=rest.take(size),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
            ) as answer:
                await answer.read()
            if answer.status not in {200, 201, 204}:
                raise explain(answer.status, path)
        await rest.finish()
    finally:
        with suppress(RuntimeError):  # the library may still be reading from it; then that ends it
            await pieces.aclose()


async def _put_together(
    ask: Ask, folder: str, path: str, headers: Mapping[str, str], arrived: Callable[[], Any]
) -> None:
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
    reason: PipelineError
    try:
        async with ask("MOVE", f"{folder}/.file", path, headers=headers, timeout=timeout) as answer:
            await answer.read()
        if answer.status in {201, 204}:
            return
        reason = explain(answer.status, path)
    except TargetUnreachable as err:
        reason = err
    if not isinstance(reason, TargetUnreachable):
        raise reason
    # a proxy waits a minute or so; the server goes on
    for seconds in _LOOKS:
        with suppress(TargetUnreachable):
            if await arrived():
                return
        await asyncio.sleep(seconds)
    raise reason


class _Rest:
    """What is left of a stream of pieces, taken in any sizes."""

    def __init__(self, pieces: AsyncGenerator[bytes]) -> None:
        self._pieces = pieces
        self._left = b""

    async def take(self, size: int) -> AsyncIterator[bytes]:
        """The next ``size`` bytes."""
        while size > 0:
            piece = self._left or await anext(self._pieces)
            self._left = piece[size:]
            size -= len(piece) - len(self._left)
            yield piece[: len(piece) - len(self._left)]

    async def finish(self) -> None:
        """Let the stream come to its end, which reports the last piece."""
        with suppress(StopAsyncIteration):
            await anext(self._pieces)
