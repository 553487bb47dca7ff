"""A timer of 5 ms on an event loop, and how late it comes each time.

It is a program of its own as well (``heartbeat.py FILE``): beside Home Assistant it shows what the
machine alone, its other programs included, does to any event loop.
"""

import asyncio
import gc
import struct
import sys
import time
from pathlib import Path

PERIOD = 0.005
SAMPLE = struct.Struct("<dd")
"""Time of day in seconds, lag in seconds."""
PAUSES = ".pauses"
"""Ending of the file beside the samples: when a garbage collection began, and its seconds."""
_BATCH = 200


class Collections:
    """Garbage collections of this process, in whichever thread: they hold every other thread."""

    def __init__(self) -> None:
        self.seen = bytearray()
        self._began = 0.0

    def __call__(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.time()
        else:
            self.seen += SAMPLE.pack(self._began, time.time() - self._began)


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


async def beat(path: Path) -> None:
    """Write samples to ``path`` until cancelled, about once a second, off the loop."""
    loop = asyncio.get_running_loop()
    samples = bytearray()
    collections = Collections()
    gc.callbacks.append(collections)
    while True:
        due = loop.time() + PERIOD
        await asyncio.sleep(PERIOD)
        samples += SAMPLE.pack(time.time(), loop.time() - due)
        if len(samples) >= _BATCH * SAMPLE.size:
            loop.run_in_executor(None, _append, path, bytes(samples))
            samples.clear()
            pauses, collections.seen = collections.seen, bytearray()
            loop.run_in_executor(None, _append, path.with_suffix(PAUSES), bytes(pauses))


if __name__ == "__main__":
    asyncio.run(beat(Path(sys.argv[1])))
