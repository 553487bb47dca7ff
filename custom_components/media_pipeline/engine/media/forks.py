"""The engine's side of the fork server: start children, signal them, learn how they ended."""

import asyncio
import contextlib
import itertools
import signal
import socket
from asyncio.subprocess import DEVNULL, PIPE, Process
from typing import Final

from ..children import child_environment, start_command
from ..errors import MediaWorkerCrashed
from .fork_server import LONGEST

_LONGEST_LINE: Final = 1 << 20
_STDERR_TAIL: Final = 4096
_IDLE: Final = 60.0
"""Seconds after which a server that nobody needs goes."""
_PATIENCE: Final = 10.0
"""Seconds that a server may take to end a child, or itself."""
SETTINGS: Final = {"SVT_LOG": "1"}  # that encoder tells everybody its settings: errors only
"""For the libraries, which read them when they are loaded."""


def default_command() -> tuple[str, ...]:
    """Return the command that starts the real server."""
    return start_command("engine.media.fork_server")


async def read_tail(stream: asyncio.StreamReader | None, tail: bytearray) -> None:
    """Read error output to its end so that nobody waits for us; keep the last part."""
    with contextlib.suppress(ConnectionError):
        while stream is not None and (part := await stream.read(1 << 16)):
            tail += part
            del tail[:-_STDERR_TAIL]


class Child:
    """A running child: ``stdin``, ``stdout`` and ``stderr`` as asyncio's."""

    def __init__(self, number: int, server: _Server) -> None:
        self.stdin: asyncio.StreamWriter
        self.stdout: asyncio.StreamReader
        self.stderr: asyncio.StreamReader
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.more = b""
        """What else is known of its end: what the server said when it failed."""
        self._number, self._server = number, server

    def send_signal(self, what: signal.Signals) -> None:
        """To its whole process group, while it is there."""
        if not self.ended.done():
            self._server.tell(b"signal %d %d" % (self._number, what))

    async def wait(self) -> int:
        """Return its status, or less than 0 for a signal, when nothing of its group is left."""
        return await asyncio.shield(self.ended)

    async def kill(self) -> None:
        """Have it gone for certain, if need be with its server, and let go of its streams."""
        self.send_signal(signal.SIGKILL)
        try:
            async with asyncio.timeout(_PATIENCE):
                await self.wait()
        except TimeoutError:
            self._server.lose()
            await self.wait()
        finally:
            self.close()

    async def connect(self) -> list[socket.socket]:
        """Make its streams; return their other ends: of input and output, and of errors."""
        told, tells = socket.socketpair()
        hears, errors = socket.socketpair()
        self.stdout, self.stdin = await asyncio.open_connection(sock=told, limit=_LONGEST_LINE)
        self.stderr, self._quiet = await asyncio.open_connection(sock=hears)
        return [tells, errors]

    def close(self) -> None:
        """Let go of its streams."""
        for writer in (self.stdin, self._quiet):
            writer.close()


class _Server:
    """One process that forks; made by ``launch``."""

    def __init__(self, process: Process, line: socket.socket) -> None:
        self._process, self._line = process, line
        self._numbers = itertools.count(1)
        self._tail = bytearray()
        self._drain = asyncio.create_task(read_tail(process.stderr, self._tail))
        self._ending: asyncio.Task[None] | None = None
        self.children: dict[int, Child] = {}
        self.gone = False
        asyncio.get_running_loop().add_reader(line, self._hear)

    @classmethod
    async def launch(cls, command: tuple[str, ...]) -> _Server:
        """Start one; it loads its libraries while the first job is already on its way."""
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            mine.setblocking(False)
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=its.fileno(),
                stdout=DEVNULL,
                stderr=PIPE,
                start_new_session=True,
                env=child_environment() | SETTINGS,
                cwd="/",
            )
        return cls(process, mine)

    async def start(self) -> Child:
        """Fork a child; raises OSError when the server is gone."""
        child = Child(number := next(self._numbers), self)
        ends = await child.connect()
        try:
            told, errors = (end.fileno() for end in ends)
            socket.send_fds(self._line, [b"start %d" % number], [told, told, errors])
        except OSError:
            child.close()
            raise
        finally:
            for end in ends:
                end.close()
        self.children[number] = child
        return child

    def tell(self, message: bytes) -> None:
        """Send one message; one that is gone needs none."""
        with contextlib.suppress(OSError):
            self._line.send(message)

    def _hear(self) -> None:
        try:
            message = self._line.recv(LONGEST)
        except BlockingIOError, InterruptedError:
            return
        except OSError:
            message = b""
        match message.split():
            case [b"ended", number, status]:
                if (child := self.children.pop(int(number), None)) and not child.ended.done():
                    child.ended.set_result(int(status))
            case []:
                self.lose()

    def lose(self) -> None:
        """Let it go, and with it all of its children."""
        if not self.gone:
            self.gone = True
            asyncio.get_running_loop().remove_reader(self._line)
            self._line.close()
            self._ending = asyncio.create_task(self._finish())

    async def _finish(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
        code = await self._process.wait()
        await self._drain
        for child in self.children.values():
            if not child.ended.done():
                child.more = bytes(self._tail)
                child.ended.set_result(code or 1)
        self.children.clear()

    async def close(self) -> None:
        """End it; its children are killed by it, or by the kernel."""
        self.lose()
        assert self._ending is not None  # noqa: S101 - made by lose
        await asyncio.shield(self._ending)


class Forks:
    """Starts children; its server comes with the first and goes when nobody needs it."""

    def __init__(self, command: tuple[str, ...] | None = None) -> None:
        """``command`` starts another server, for tests."""
        self._command = command or default_command()
        self._starting = asyncio.Lock()
        self._server: _Server | None = None
        self._leaving: asyncio.TimerHandle | None = None

    async def start(self) -> Child:
        """A new child, in a session of its own.

        Raises MediaWorkerCrashed when no server stays and OSError when none can be started.
        """
        async with self._starting:
            for _ in range(2):  # one that was there may just have gone
                if self._server is None or self._server.gone:
                    self._server = await _Server.launch(self._command)
                try:
                    child = await self._server.start()
                except OSError as err:
                    why = repr(err)
                    await self._server.close()
                    continue
                if self._leaving is not None:
                    self._leaving.cancel()
                child.ended.add_done_callback(self._one_less)
                return child
        raise MediaWorkerCrashed(f"no media worker could be started: {why}")

    def _one_less(self, _: asyncio.Future[int]) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
        self._leaving = asyncio.get_running_loop().call_later(_IDLE, self._leave)

    def _leave(self) -> None:
        if self._server is not None and not self._server.children:
            self._server.lose()

    async def close(self) -> None:
        """End the server and all children."""
        if self._leaving is not None:
            self._leaving.cancel()
        async with self._starting:
            if self._server is not None:
                await self._server.close()
