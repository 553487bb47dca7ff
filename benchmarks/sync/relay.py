"""A line with latency: passes TCP on to a port of this machine, each byte late by the same time.

A program of its own: ``relay.py PORT MILLISECONDS`` prints the port it listens on and serves until
it is ended. Bandwidth is not limited, and the TCP windows of the two ends see no latency, so what a
contestant keeps under way itself is all that counts.
"""

import asyncio
import sys
from collections import deque
from typing import Final, override

_MOST_WAITING: Final = 128 << 20


class _End(asyncio.Protocol):
    """One of the two connections; what it receives is sent by the other one, later."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._may_write = True
        self._early: list[bytes] = []
        self.other: _End | None = None
        self.transport: asyncio.Transport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self._early.append(data)
        elif self.other.late(data) > _MOST_WAITING and self.transport is not None:
            self.transport.pause_reading()

    @override
    def eof_received(self) -> bool:
        self.data_received(b"")
        return True

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.data_received(b"")

    @override
    def pause_writing(self) -> None:
        self._may_write = False

    @override
    def resume_writing(self) -> None:
        self._may_write = True
        self._send()

    def join(self, other: _End) -> None:
        """Send what ``other`` receives."""
        self.other = other
        for data in self._early:
            other.late(data)
        self._early.clear()

    def late(self, data: bytes) -> int:
        """Send this when its time has come, nothing for the end; returns what waits."""
        self._waiting.append((self._loop.time() + self._delay, data))
        self._size += len(data)
        if self._timer is None and self._may_write:
            self._timer = self._loop.call_at(self._waiting[0][0], self._send)
        return self._size

    def _send(self) -> None:
        self._timer = None
        now = self._loop.time() + 0.0005
        while self._waiting and self._may_write and self._waiting[0][0] <= now:
            _, data = self._waiting.popleft()
            self._size -= len(data)
            if self.transport is None or self.transport.is_closing():
                continue
            if data:
                self.transport.write(data)
            else:
                self.transport.close()
        if self._waiting and self._may_write and self._timer is None:
            self._timer = self._loop.call_at(self._waiting[0][0], self._send)
        if self._size < _MOST_WAITING // 2 and self.other and self.other.transport:
            self.other.transport.resume_reading()


async def serve(port: int, delay: float) -> asyncio.Server:
    """Pass connections to ``port`` on, each way late by ``delay`` seconds; returns the listener."""
    loop = asyncio.get_running_loop()
    dials: set[asyncio.Task[None]] = set()

    async def dial(near: _End) -> None:
        _, far = await loop.create_connection(lambda: _End(delay), "127.0.0.1", port)
        far.join(near)
        near.join(far)

    class Accepted(_End):
        @override
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            task = asyncio.ensure_future(dial(self))
            dials.add(task)
            task.add_done_callback(dials.discard)

    return await loop.create_server(lambda: Accepted(delay), "127.0.0.1", 0)


async def _main(port: int, milliseconds: float) -> None:
    server = await serve(port, milliseconds / 2000)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), float(sys.argv[2])))
