"""One child process: feed it a job, read its answer, make sure that it is gone."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from ..children import child_environment, start_command
from ..errors import MediaWorkerCrashed, MediaWorkerMemory, MediaWorkerTimeout
from .pace import Hold

_LONGEST_LINE = 1 << 20
_STDERR_TAIL = 4096
_NO_MEMORY = (
    b"MemoryError",
    b"Cannot allocate memory",
    b"failed to map segment",
    b"malloc of size",
)


def default_command() -> tuple[str, ...]:
    """Return the command that starts the real worker."""
    return start_command("engine.media.worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a child may work.

    ``stall`` is how many seconds may pass without progress, ``total`` how many altogether; time in
    which the child is stopped by ``hold`` doesn't count. ``progress`` hears the part done, 0 to 1.
    """

    stall: float
    total: float
    hold: Hold | None = None
    progress: Callable[[float], None] = lambda _: None


async def run_child(command: tuple[str, ...], job: dict[str, Any], terms: Terms) -> dict[str, Any]:
    """Run one job in a new process group and return the child's answer.

    However this ends, cancellation included, no process of the group is left. Raises
    MediaWorkerTimeout, MediaWorkerMemory or MediaWorkerCrashed with the end of the child's error
    output as detail.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=_LONGEST_LINE,
        start_new_session=True,
        env=child_environment(),
        cwd="/",
    )
    tail = bytearray()
    drain = asyncio.create_task(_drain(process.stderr, tail))
    try:
        async with asyncio.timeout(terms.total) as whole:
            answer = await _talk(process, job, terms, whole)
        if answer is not None:
            return answer
        await process.wait()
        await drain
    except TimeoutError as err:
        raise MediaWorkerTimeout(_detail("took too long and was stopped", tail)) from err
    except ValueError as err:
        raise MediaWorkerCrashed(_detail("answered with a line without end", tail)) from err
    finally:
        _signal(process, signal.SIGKILL)
        drain.cancel()
        await process.wait()
    raise _ended(process.returncode or 0, tail)


async def _talk(
    process: asyncio.subprocess.Process, job: dict[str, Any], terms: Terms, whole: asyncio.Timeout
) -> dict[str, Any] | None:
    """Send the job, follow the progress, return the result; None when the child ended without."""
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101
    with contextlib.suppress(ConnectionError):  # it may have died already; its output tells
        process.stdin.write(json.dumps(job).encode() + b"\n")
        await process.stdin.drain()
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(terms.stall) as patience, _stopping(process, terms, whole, patience):
        while line := await process.stdout.readline():
            try:
                answer = json.loads(line)
            except ValueError:
                continue  # no answer of ours
            if isinstance(answer, dict) and "ok" in answer:
                return answer
            if isinstance(answer, dict) and "progress" in answer:
                if patience.when() is not None:  # not while it is stopped
                    patience.reschedule(loop.time() + terms.stall)
                terms.progress(_part(answer["progress"]))
    return None


def _part(value: Any) -> float:
    return min(max(float(value), 0.0), 1.0) if isinstance(value, int | float) else 0.0


@contextlib.asynccontextmanager
async def _stopping(
    process: asyncio.subprocess.Process,
    terms: Terms,
    whole: asyncio.Timeout,
    patience: asyncio.Timeout,
) -> AsyncIterator[None]:
    """Stop the child, and its clocks, whenever it is to rest."""
    if terms.hold is None:
        yield
        return
    task = asyncio.create_task(_stop_and_go(process, terms, terms.hold, (whole, patience)))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _stop_and_go(
    process: asyncio.subprocess.Process,
    terms: Terms,
    hold: Hold,
    clocks: tuple[asyncio.Timeout, asyncio.Timeout],
) -> None:
    loop = asyncio.get_running_loop()
    whole, patience = clocks
    while True:
        await hold.begun.wait()
        _signal(process, signal.SIGSTOP)
        ends, since = whole.when(), loop.time()
        whole.reschedule(None)
        patience.reschedule(None)
        await hold.over.wait()
        _signal(process, signal.SIGCONT)
        whole.reschedule((ends or since) + loop.time() - since)
        patience.reschedule(loop.time() + terms.stall)


async def _drain(stream: asyncio.StreamReader | None, tail: bytearray) -> None:
    """Read error output to its end so that the child never waits; keep the last part."""
    while stream is not None and (part := await stream.read(1 << 16)):
        tail += part
        del tail[:-_STDERR_TAIL]


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """To the whole group, while it is there."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)


def _detail(what: str, tail: bytearray) -> str:
    text = tail.decode(errors="replace").strip()
    return f"the media worker {what}" + (f"; it said: {text}" if text else "")


def _ended(
    code: int, tail: bytearray
) -> MediaWorkerCrashed | MediaWorkerMemory | MediaWorkerTimeout:
    """The error for a child that ended without an answer."""
    if code == -signal.SIGKILL:  # not by us: the kernel ran out of memory and took it first
        return MediaWorkerMemory(_detail("was killed by the system, most likely for memory", tail))
    if code == -signal.SIGXCPU:
        return MediaWorkerTimeout(_detail("used up its processor time", tail))
    if any(word in tail for word in _NO_MEMORY):
        return MediaWorkerMemory(_detail("ran out of memory", tail))
    name = signal.Signals(-code).name if code < 0 else f"code {code}"
    return MediaWorkerCrashed(_detail(f"ended with {name} and without an answer", tail))
