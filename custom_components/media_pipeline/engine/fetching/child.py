"""The engine's side of one child process that fetches: tell it orders, hear its answers."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Callable
from dataclasses import asdict
from itertools import count
from typing import Any, Final

from ..children import child_environment
from ..errors import (
    BrokenContainer,
    ChecksumMismatch,
    EncodedBody,
    ErrorBody,
    FileVanished,
    LengthMismatch,
    PipelineError,
    SourceBadAnswer,
    SourceUnreachable,
    ThrottledError,
    UrlExpired,
)
from .connections import VARIABLES
from .order import Order, Proof

_ERRORS: Final[dict[str, type[PipelineError]]] = {
    error.key: error
    for error in (
        BrokenContainer,
        ChecksumMismatch,
        EncodedBody,
        ErrorBody,
        FileVanished,
        LengthMismatch,
        SourceBadAnswer,
        SourceUnreachable,
        UrlExpired,
    )
}
_SILENT_SECONDS: Final = 30.0
"""It speaks four times a second while it is well."""
_LET_GO_SECONDS: Final = 5.0


class Child:
    """Made by ``start``. Gone after ``close``, and after it died or fell silent by itself."""

    def __init__(
        self, process: asyncio.subprocess.Process, on_bytes: Callable[[int], None]
    ) -> None:
        self._process = process
        self._on_bytes = on_bytes
        self._numbers = count()
        self._jobs: dict[int, asyncio.Future[Proof]] = {}
        self.why = "was ended"
        """How it went, for the log, once it is gone."""
        self._leaving: dict[int, asyncio.Event] = {}
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(
        cls,
        command: tuple[str, ...],
        connections: int,
        limit: int | None,
        on_bytes: Callable[[int], None],
    ) -> Child:
        """Start one for so many downloads at a time and bytes per second. Raises OSError."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # what it prints may hold addresses
            start_new_session=True,
            env=child_environment(VARIABLES),
            cwd="/",
        )
        child = cls(process, on_bytes)
        child._tell({"connections": connections, "limit": limit})
        return child

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def jobs(self) -> int:
        """How many it has now."""
        return len(self._jobs)

    @property
    def gone(self) -> bool:
        """True when it takes no more orders."""
        return self._listening.done()

    async def fetch(self, order: Order) -> Proof:
        """Have a file fetched; raises like ``Source.save``, and SourceUnreachable when it dies."""
        number = next(self._numbers)
        future: asyncio.Future[Proof] = asyncio.get_running_loop().create_future()
        self._jobs[number] = future
        try:
            if self.gone:
                raise SourceUnreachable("the download process is gone")
            self._tell({"job": number, "order": asdict(order)})
            await asyncio.wait((future,))
            return future.result()
        except asyncio.CancelledError:
            await asyncio.shield(self._withdraw(number, future))
            raise
        finally:
            del self._jobs[number]

    async def _withdraw(self, number: int, future: asyncio.Future[Proof]) -> None:
        """Return only when the child writes no more: somebody else may go on with the part file."""
        if future.done():
            future.exception()  # seen
            return
        left = self._leaving[number] = asyncio.Event()
        self._tell({"cancel": number})
        try:
            async with asyncio.timeout(_LET_GO_SECONDS):
                await left.wait()
        except TimeoutError:
            await self.close()
        finally:
            del self._leaving[number]

    def pause(self, paused: bool) -> None:
        """Hold all its downloads, or let them go on."""
        self._tell({"pause": paused})

    def _tell(self, what: dict[str, Any]) -> None:
        stdin = self._process.stdin
        if stdin is not None and not stdin.is_closing():
            stdin.write(json.dumps(what).encode() + b"\n")

    async def _listen(self) -> None:
        try:
            self.why = await self._hear_all()
        finally:
            self.kill()
            await asyncio.shield(self._process.wait())
            for future in self._jobs.values():
                if not future.done():
                    future.set_exception(SourceUnreachable(f"the download process {self.why}"))
                    future.exception()  # seen, also when nobody waits any more
            for left in self._leaving.values():
                left.set()

    async def _hear_all(self) -> str:
        """Listen until it ends; why it did."""
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101 - a pipe
        try:
            while True:
                async with asyncio.timeout(_SILENT_SECONDS):
                    line = await stdout.readline()
                if not line:
                    code = await self._process.wait()
                    return f"ended with {signal.Signals(-code).name if code < 0 else code}"
                self._hear(json.loads(line))
        except TimeoutError:
            return "hung"
        except (ValueError, TypeError, LookupError) as err:
            return f"gave no answer of use: {type(err).__name__}"

    def _hear(self, answer: dict[str, Any]) -> None:
        if answer["moved"]:
            self._on_bytes(answer["moved"])
        if (left := self._leaving.get(answer.get("gone", -1))) is not None:
            left.set()
        future = self._jobs.get(answer.get("job", -1))
        if future is None or future.done():
            return
        if "proof" in answer:
            future.set_result(Proof(**answer["proof"]))
        else:
            future.set_exception(_error(answer))
            future.exception()  # seen, also when it was cancelled meanwhile

    def kill(self) -> None:
        """Send SIGKILL to it and to whatever it started."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def close(self) -> None:
        """End it, whatever it does; returns when it is gone."""
        self.kill()
        await asyncio.wait((self._listening,))
        if (stdin := self._process.stdin) is not None:
            stdin.close()


def _error(answer: dict[str, Any]) -> Exception:
    if "errno" in answer:
        return OSError(answer["errno"], answer["detail"])
    if answer.get("error") == ThrottledError.key:
        return ThrottledError(answer["detail"], retry_after=answer["retry_after"])
    if (known := _ERRORS.get(answer.get("error", ""))) is not None:
        return known(answer["detail"], **answer["more"])
    return RuntimeError(f"a defect in the download process: {answer.get('defect')}")
