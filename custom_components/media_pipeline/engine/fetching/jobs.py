"""One download within the child process, and what all of them share there."""

import threading
import traceback
from dataclasses import asdict
from http.client import HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any, Final

from ..bucket import Bucket
from ..errors import PipelineError, SourceUnreachable, ThrottledError
from .answers import check_total, judge
from .connections import Connections, break_off
from .order import Order, Proof
from .part import Part
from .prove import prove

# Small enough to stay in the processor's cache between network, file and checksums.
_PIECE: Final = 256 << 10
_PIECE_WITH_LIMIT: Final = 32 << 10


class Shared:
    """Connections, limit, pause and the count of bytes."""

    def __init__(self, connections: int, limit: int | None) -> None:
        """``limit`` in bytes per second over all downloads; None is none."""
        self.connections = Connections()
        self.turns = threading.Semaphore(connections)
        self.going = threading.Event()
        self.going.set()
        self.piece = _PIECE if limit is None else _PIECE_WITH_LIMIT
        self._buffers = threading.local()
        self._bucket = Bucket(limit)
        self._moved = 0
        self._lock = threading.Lock()

    def buffer(self) -> memoryview:
        """This thread's own."""
        made: memoryview | None = getattr(self._buffers, "view", None)
        if made is None:
            made = self._buffers.view = memoryview(bytearray(self.piece))
        return made

    def count(self, size: int) -> float:
        """Bytes that arrived; how many seconds to wait now."""
        with self._lock:
            self._moved += size
            return self._bucket.take(size)

    def take_moved(self) -> int:
        """Bytes that arrived since the last question."""
        with self._lock:
            moved, self._moved = self._moved, 0
            return moved


class _Cancelled(Exception):
    """Nobody wants it any more."""


class Job:
    """Runs on a thread of its own; another one may cancel it."""

    def __init__(self, order: Order, shared: Shared) -> None:
        self._order = order
        self._shared = shared
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._part: Part | None = None
        self._connection: HTTPSConnection | None = None
        self._ready = threading.Event()
        """Set once the part file is held, so that closing it stops all writing."""

    def run(self) -> dict[str, Any] | None:
        """Do it. The answer is a ``proof``, an ``error`` of ours, an ``errno`` or a ``defect``."""
        try:
            return {"proof": asdict(self._bring())}
        except _Cancelled:
            return None
        except PipelineError as err:
            return self._unless_cancelled(_told(err))
        except OSError as err:
            return self._unless_cancelled({"errno": err.errno, "detail": err.strerror})
        except Exception as err:  # noqa: BLE001 - the parent raises it; the words may hold an address
            frames = traceback.extract_tb(err.__traceback__)
            where = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames))
            return self._unless_cancelled({"defect": f"{type(err).__name__} at {where}"})
        finally:
            self._ready.set()

    def _unless_cancelled(self, answer: dict[str, Any]) -> dict[str, Any] | None:
        """What goes wrong in a cancelled download went wrong because of that."""
        return None if self._cancelled.is_set() else answer

    def cancel(self) -> None:
        """Returns when nothing more will be written; the thread ends as soon as it can."""
        with self._lock:
            self._cancelled.set()
            if self._connection is not None:
                break_off(self._connection)
        self._ready.wait()
        if self._part is not None:
            self._part.close()

    def _bring(self) -> Proof:
        self._check()
        order = self._order
        part = Part.resume(Path(order.part), order.size, apple=order.apple is not None)
        try:
            self._part = part
            self._ready.set()
            if part.digest.size < order.size or order.size == 0:
                with self._shared.turns:
                    self._check()
                    self._fetch(part)
            self._check()
            return prove(order, part.finish())
        finally:
            part.close()

    def _check(self) -> None:
        if self._cancelled.is_set():
            raise _Cancelled

    def _lend(self, connection: HTTPSConnection | None) -> None:
        with self._lock:
            self._connection = connection
            if connection is not None:
                self._check()

    def _fetch(self, part: Part) -> None:
        order, connections = self._order, self._shared.connections
        with connections.get(order.url, part.digest.size, self._lend) as response:
            opening = judge(response.status, response.headers, part.digest.size)
            if opening.empty:
                return
            check_total(opening.offset, opening.total, order.size)
            if opening.offset != part.digest.size:
                part.restart()
            self._receive(response, part)

    def _receive(self, response: HTTPResponse, part: Part) -> None:
        shared, buffer = self._shared, self._shared.buffer()
        announced = response.length
        came = 0
        while True:
            shared.going.wait()
            self._check()
            try:
                size = response.readinto(buffer)
            except (OSError, HTTPException) as error:
                raise SourceUnreachable(type(error).__name__) from error
            self._check()
            if not size:
                break
            part.write((buffer[:size],))
            came += size
            wait = shared.count(size)
            if part.digest.size > self._order.size:
                return  # which is found out by comparing
            if wait:
                self._cancelled.wait(wait)
        if announced is not None and came < announced:
            raise SourceUnreachable("the connection was cut")


def _told(err: PipelineError) -> dict[str, Any]:
    answer: dict[str, Any] = {"error": err.key, "detail": err.detail, "more": err.placeholders}
    if isinstance(err, ThrottledError):
        answer |= {"more": {}, "retry_after": err.retry_after}
    return answer
