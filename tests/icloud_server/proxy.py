"""The door: answers CONNECT for any host, then speaks TLS and HTTP on that very connection.

There is no second hop inside: the tunnel ends in this process, so a download is copied once.
"""

import asyncio
import ssl

from aiohttp import web


class _Waiting(asyncio.Protocol):
    """Keeps what arrives between the end of the TLS handshake and the start of HTTP."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.lost = False

    def data_received(self, data: bytes) -> None:
        self.received.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True


class Door(asyncio.Protocol):
    """One connection of a client that uses us as its HTTPS proxy."""

    def __init__(
        self,
        context: ssl.SSLContext,
        http: web.Server,
        tasks: set[asyncio.Task[None]],
    ) -> None:
        self._context = context
        self._http = http
        self._tasks = tasks
        self._head = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        transport = self._transport
        assert transport is not None
        self._head += data
        if b"\r\n\r\n" not in self._head:
            if len(self._head) > 65536:
                transport.close()
            return
        if not self._head.startswith(b"CONNECT "):
            transport.write(b"HTTP/1.1 405 Only CONNECT\r\nConnection: close\r\n\r\n")
            transport.close()
            return
        transport.pause_reading()
        task = asyncio.get_running_loop().create_task(self._serve(transport))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, transport: asyncio.Transport) -> None:
        transport.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        waiting = _Waiting()
        try:
            secure = await asyncio.get_running_loop().start_tls(
                transport, waiting, self._context, server_side=True
            )
        except OSError:
            transport.abort()
            return
        if secure is None or waiting.lost:
            return
        handler = self._http()
        secure.set_protocol(handler)
        handler.connection_made(secure)
        for data in waiting.received:
            handler.data_received(data)


async def open_door(
    port: int, context: ssl.SSLContext, http: web.Server
) -> tuple[asyncio.Server, int]:
    """Listen on 127.0.0.1; return the listener and its port."""
    tasks: set[asyncio.Task[None]] = set()
    server = await asyncio.get_running_loop().create_server(
        lambda: Door(context, http, tasks), "127.0.0.1", port, backlog=256
    )
    return server, int(server.sockets[0].getsockname()[1])
