"""What a Nextcloud does beyond WebDAV, before a real WebDAV server: uploads in chunks.

A double of version 2 of its chunked upload, made after its developer manual and never compared
with a real one: a folder below ``uploads`` with a destination, chunks named 1 to 10000 with the
same destination, ``MOVE`` of ``.file``, which takes them in the order of their numbers. It refuses
bodies over ``most`` bytes with 413, as a proxy before it does.
"""

from typing import Self

from aiohttp import web

from . import wsgidav_server
from .between import Between

FILES = f"/remote.php/dav/files/{wsgidav_server.USER}"
_UPLOADS = f"/remote.php/dav/uploads/{wsgidav_server.USER}/"


class Nextcloud(Between):
    """Use as a context manager on the loop of the test; the server behind it serves ``FILES``."""

    def __init__(self, upstream: str, most: int = 12 << 20) -> None:
        """``upstream`` is the real WebDAV server's address, without a path."""
        super().__init__(upstream, lambda _: None)
        self.most = most
        self.uploads: dict[str, tuple[str, dict[int, bytes]]] = {}
        """Id → destination, chunks by number."""
        self.chunked = True
        """Whether it knows such uploads."""
        self.patience = True
        """False: a proxy answers 504 to ``MOVE`` although all goes well."""
        self.sizes: list[int] = []
        """Of all bodies that were put."""

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        return self

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.method == "PUT":
            if (request.content_length or 0) > self.most:
                return web.Response(status=413)
            self.sizes.append(request.content_length or 0)
        if not request.path.startswith(_UPLOADS):
            return await super()._handle(request)
        self.seen.append(f"{request.method} {request.path}")
        if "Authorization" not in request.headers:
            return web.Response(status=401)
        name, _, part = request.path.removeprefix(_UPLOADS).partition("/")
        if not self.chunked:
            return web.Response(status=404)
        if request.method == "MKCOL" and not part:
            self.uploads[name] = (request.headers["Destination"], {})
            return web.Response(status=201)
        if name not in self.uploads:
            return web.Response(status=404)
        if request.method == "DELETE" and not part:
            del self.uploads[name]
            return web.Response(status=204)
        destination, chunks = self.uploads[name]
        if request.headers.get("Destination") != destination:
            return web.Response(status=400)
        if request.method == "PUT" and part.isdecimal() and 1 <= int(part) <= 10_000:
            chunks[int(part)] = await request.read()
            return web.Response(status=201)
        if request.method == "MOVE" and part == ".file":
            return await self._put_together(request, name)
        return web.Response(status=400)

    async def _put_together(self, request: web.Request, name: str) -> web.Response:
        destination, chunks = self.uploads.pop(name)
        body = b"".join(chunks[number] for number in sorted(chunks))
        if int(request.headers["OC-Total-Length"]) != len(body):
            return web.Response(status=400)
        async with self._client.put(
            destination.replace(self.url, self._upstream),
            data=body,
            headers={"Authorization": request.headers["Authorization"]},
        ) as real:
            status = 504 if not self.patience and real.ok else real.status
        return web.Response(status=status)
