"""The child process: fetches files that it is told, many at once, until nobody needs it any more.

Reads lines of JSON on standard input: first ``{"connections": n, "limit": bytes per second}``, then
``{"job": number, "order": ...}``, ``{"cancel": number}``, ``{"pause": true}``. Answers with lines
on standard output (see ``jobs``); each tells how many bytes were ``moved`` since the last one, and
one comes at least every quarter of a second. When standard input closes, its parent is gone and so
is the child. Blocking threads and the standard library only: what the interpreter does not do
itself (TLS, checksums, writing) runs on all processors.
"""

import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from ..children import die_with_parent, let_it_be_killed_first
from .jobs import Job, Shared
from .order import Order

_TICK: Final = 0.25
_THREADS: Final = 64
_NICE: Final = 5


def main() -> None:
    """Work until standard input closes; never returns."""
    out = os.dup(1)
    os.dup2(2, 1)  # whatever is printed is no answer
    die_with_parent()
    os.nice(_NICE)
    let_it_be_killed_first()
    try:
        _Worker(out).serve()
    finally:
        os._exit(3)  # threads may still wait for the network


class _Worker:
    def __init__(self, out: int) -> None:
        self._out = out
        self._speaking = threading.Lock()
        self._jobs: dict[int, Job] = {}

    def serve(self) -> None:
        """Do what standard input says."""
        first = json.loads(sys.stdin.buffer.readline())
        shared = Shared(first["connections"], first["limit"])
        self._shared = shared
        threading.Thread(target=self._tick, daemon=True).start()
        pool = ThreadPoolExecutor(_THREADS)
        for line in sys.stdin.buffer:
            told = json.loads(line)
            if "job" in told:
                job = Job(Order(**told["order"]), shared)
                self._jobs[told["job"]] = job
                pool.submit(self._do, told["job"], job)
            elif "cancel" in told:
                pool.submit(self._cancel, told["cancel"])
            elif told["pause"]:
                shared.going.clear()
            else:
                shared.going.set()

    def _do(self, number: int, job: Job) -> None:
        answer = job.run()
        del self._jobs[number]
        if answer is not None:
            self._say({"job": number, **answer})

    def _cancel(self, number: int) -> None:
        if (job := self._jobs.get(number)) is not None:
            job.cancel()
        self._say({"gone": number})

    def _tick(self) -> None:
        while True:
            time.sleep(_TICK)
            self._say({})

    def _say(self, answer: dict[str, Any]) -> None:
        with self._speaking:
            line = json.dumps({"moved": self._shared.take_moved(), **answer}).encode() + b"\n"
            while line:
                line = line[os.write(self._out, line) :]


if __name__ == "__main__":
    main()
