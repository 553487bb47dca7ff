"""A TCP relay on loopback that can be shut and opened, and that cuts after so many bytes."""

import asyncio
from contextlib import suppress
from typing import Self


class CuttingRelay:
    """Passes bytes to a port of this machine. Changes apply to connections already made too."""

    def __init__(self, port: int) -> None:
        """``port`` is where the bytes go."""
        self._goal = port
        self._server: asyncio.Server | None = None
        self._pairs: set[asyncio.Task[None]] = set()
        self.port = 0
        self.passed = 0
        """Bytes in both directions since the start."""
        self.cut_after: int | None = None
        """Every connection is cut once so many more bytes have passed; None never cuts."""
        self.cuts = 0

    async def start(self) -> Self:
        """Open it, on the same port as before when it was shut."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def shut(self) -> None:
        """Refuse connections and cut those that are open."""
        if self._server is not None:
            self._server.close()
            self._server = None
        pairs = list(self._pairs)
        for pair in pairs:
            pair.cancel()
        await asyncio.gather(*pairs, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pairs.add(task)
        ends = [writer]
        ways: set[asyncio.Task[None]] = set()
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._goal)
            ends.append(there_writer)
            ways.add(asyncio.create_task(self._pass(reader, there_writer)))
            ways.add(asyncio.create_task(self._pass(there_reader, writer)))
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for end in ends:
                end.transport.abort()
            self._pairs.discard(task)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(16384):
                if self.cut_after is not None:
                    self.cut_after -= len(data)
                    if self.cut_after < 0:
                        self.cuts += 1
                        return
                self.passed += len(data)
                writer.write(data)
                await writer.drain()
