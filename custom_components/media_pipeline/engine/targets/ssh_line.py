"""The TCP connection under SSH: what is written in one turn of the event loop goes out at once.

The SSH library hands the system each of its packets by itself, two for every 32 KiB of a file;
that costs a fifth of the processor time at both ends.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, cast, override


class Line:
    """What ``asyncssh.connect`` takes for its ``tunnel``: makes the connection to the server."""

    async def create_connection(
        self, make_protocol: Callable[[], asyncio.Protocol], host: str, port: int
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Like the event loop's own, with a transport that gathers what is written."""
        loop = asyncio.get_running_loop()
        opening = _Opening(make_protocol, loop)
        await loop.create_connection(lambda: opening, host, port)
        return cast("tuple[asyncio.Transport, asyncio.Protocol]", opening.made)


class _Opening(asyncio.Protocol):
    """Puts the real protocol in its own place before the first byte arrives."""

    def __init__(
        self, make_protocol: Callable[[], asyncio.Protocol], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._make_protocol = make_protocol
        self._loop = loop
        self.made: tuple[asyncio.Transport, asyncio.Protocol] | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        protocol = self._make_protocol()
        tcp = cast("asyncio.Transport", transport)
        self.made = _Gathering(tcp, self._loop), protocol
        tcp.set_protocol(protocol)
        protocol.connection_made(self.made[0])


class _Gathering(asyncio.Transport):
    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._packets: list[bytes | bytearray | memoryview[Any]] = []

    @override
    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if not self._packets:
            self._loop.call_soon(self._send)
        self._packets.append(data)

    @override
    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview[Any]]) -> None:
        """At once: what comes together was gathered already."""
        self._packets.extend(list_of_data)
        self._send()

    def _send(self) -> None:
        packets, self._packets = self._packets, []
        if packets:
            self._transport.writelines(packets)

    @override
    def get_extra_info(self, name: str, default: object = None) -> Any:
        return self._transport.get_extra_info(name, default)

    @override
    def is_closing(self) -> bool:
        return self._transport.is_closing()

    @override
    def close(self) -> None:
        self._send()
        self._transport.close()

    @override
    def abort(self) -> None:
        self._send()
        self._transport.abort()
