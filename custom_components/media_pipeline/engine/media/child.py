"""One child process: feed it a job, read its answer, make sure that it is gone."""

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from ..errors import MediaWorkerCrashed, MediaWorkerMemory, MediaWorkerTimeout
from .forks import Child, Forks, read_tail
from .pace import Hold

_NO_MEMORY = (
    b"MemoryError",
    b"Cannot allocate memory",
    b"failed to map segment",
    b"malloc of size",
    b"can't start new thread",
)


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


async def run_child(forks: Forks, job: dict[str, Any], terms: Terms) -> dict[str, Any]:
    """Run one job in a new process group and return the child's answer.

    However this ends, cancellation included, no process of the group is left. Raises
    MediaWorkerTimeout, MediaWorkerMemory or MediaWorkerCrashed with the end of the child's error
    output as detail.
    """
    child = await forks.start()
    tail = bytearray()
    drain = asyncio.create_task(read_tail(child.stderr, tail))
    try:
        async with asyncio.timeout(terms.total) as whole:
            answer = await _talk(child, job, terms, whole)
        if answer is not None:
            return answer
        code = await child.wait()
        await drain
    except TimeoutError as err:
        raise MediaWorkerTimeout(_detail("took too long and was stopped", tail)) from err
    except ValueError as err:
        raise MediaWorkerCrashed(_detail("answered with a line without end", tail)) from err
    finally:
        drain.cancel()
        await child.kill()
    raise _ended(code, tail + child.more)


async def _talk(
    child: Child, job: dict[str, Any], terms: Terms, whole: asyncio.Timeout
) -> dict[str, Any] | None:
    """Send the job, follow the progress, return the result; None when the child ended without."""
    with contextlib.suppress(ConnectionError):  # it may have died already; its output tells
        child.stdin.write(json.dumps(job).encode() + b"\n")
        await child.stdin.drain()
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(terms.stall) as patience, _stopping(child, terms, whole, patience):
        while line := await _line(child):
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


async def _line(child: Child) -> bytes:
    """Its next line; nothing when it has ended, also before it read its job."""
    try:
        return await child.stdout.readline()
    except ConnectionError:
        return b""


def _part(value: Any) -> float:
    return min(max(float(value), 0.0), 1.0) if isinstance(value, int | float) else 0.0


@contextlib.asynccontextmanager
async def _stopping(
    child: Child,
    terms: Terms,
    whole: asyncio.Timeout,
    patience: asyncio.Timeout,
) -> AsyncIterator[None]:
    """Stop the child, and its clocks, whenever it is to rest."""
    if terms.hold is None:
        yield
        return
    task = asyncio.create_task(_stop_and_go(child, terms, terms.hold, (whole, patience)))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _stop_and_go(
    child: Child,
    terms: Terms,
    hold: Hold,
    clocks: tuple[asyncio.Timeout, asyncio.Timeout],
) -> None:
    loop = asyncio.get_running_loop()
    whole, patience = clocks
    while True:
        await hold.begun.wait()
        child.send_signal(signal.SIGSTOP)
        ends, since = whole.when(), loop.time()
        whole.reschedule(None)
        patience.reschedule(None)
        await hold.over.wait()
        child.send_signal(signal.SIGCONT)
        whole.reschedule((ends or since) + loop.time() - since)
        patience.reschedule(loop.time() + terms.stall)


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
