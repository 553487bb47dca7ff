"""A relay between a client and a server on this machine, with the faults of a real line."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

_PIECE: Final = 16384
type Edit = Callable[[bytes], bytes]


class Relay:
    """Set the fields at any time; use as an asynchronous context manager."""

    def __init__(self, port: int) -> None:
        """``port`` is the server's."""
        self._to = port
        self.port = 0
        self.up_rate: float | None = None
        """Bytes per second that all connections together may send to the server."""
        self.edit: Edit = bytes
        """What becomes of each piece on its way to the server."""
        self.refuse: list[bytes] = []
        """Whole answers given instead of the server's, one for each new connection."""
        self.refused = 0
        self.deny: tuple[bytes, bytes] | None = None
        """Requests that begin with the first get the second as their answer."""
        self.cut_after: int | None = None
        """All connections break once so many bytes went to the server."""
        self.sent = 0
        self.connections = 0
        self._free_at = 0.0
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, err: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """Break every connection."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            if self.refuse:
                answer = self.refuse.pop()
                self.refused += 1
                await reader.readuntil(b"\r\n\r\n")
                writer.write(answer)
                await writer.drain()
                return
            back, out = await asyncio.open_connection("127.0.0.1", self._to)
            self._writers.add(out)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._up(reader, out, writer))
                group.create_task(self._down(back, writer))
        except* OSError, EOFError:
            pass
        finally:
            for one in list(self._writers):
                if one is writer or one.is_closing():
                    self._writers.discard(one)
            writer.close()

    async def _up(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        back: asyncio.StreamWriter,
    ) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while data := await reader.read(_PIECE):
                if self.up_rate is not None:
                    self._free_at = max(self._free_at, loop.time()) + len(data) / self.up_rate
                    await asyncio.sleep(self._free_at - loop.time())
                self.sent += len(data)
                if self.deny is not None and data.startswith(self.deny[0]):
                    back.write(self.deny[1])
                    await back.drain()
                    break
                if self.cut_after is not None and self.sent > self.cut_after:
                    self.cut_after = None
                    self.cut()
                    return
                writer.write(self.edit(data))
                await writer.drain()
        writer.close()

    @staticmethod
    async def _down(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_PIECE):
                writer.write(data)
                await writer.drain()
        writer.close()


def answer(status: str, body: str) -> bytes:
    """A whole HTTP answer, after which the connection ends."""
    data = body.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {len(data)}"
    return f"{head}\r\nConnection: close\r\n\r\n".encode() + data
