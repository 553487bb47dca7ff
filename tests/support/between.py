"""A proxy before a target's HTTP server, which gives answers of its own where a test says."""

from collections.abc import Callable
from typing import Self

import aiohttp
from aiohttp import web
from yarl import URL

type Answer = Callable[[web.Request], web.StreamResponse | None]
"""What to answer instead; None passes the request on."""


class Between:
    """Use as a context manager on the loop of the test."""

    def __init__(self, upstream: str, answer: Answer) -> None:
        """``upstream`` is the real server's address."""
        self._upstream = upstream
        self._answer = answer
        self.seen: list[str] = []
        """Method and path of every request."""
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._client = aiohttp.ClientSession(auto_decompress=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(f"{request.method} {request.path}")
        body = await request.read()
        if (answer := self._answer(request)) is not None:
            return answer
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in {"host", "content-length", "transfer-encoding"}
        }
        if "Destination" in headers:
            headers["Destination"] = headers["Destination"].replace(self.url, self._upstream)
        url = URL(self._upstream + request.raw_path, encoded=True)
        async with self._client.request(
            request.method, url, data=body, headers=headers, allow_redirects=False
        ) as real:
            data = await real.read()
            kept = {k: v for k, v in real.headers.items() if k.lower() == "content-type"}
            return web.Response(status=real.status, body=data, headers=kept)
