"""A timer of 5 ms on an event loop, and how late it comes each time.

It is a program of its own as well (``heartbeat.py FILE``): beside Home Assistant it shows what the
machine alone, its other programs included, does to any event loop.
"""

import asyncio
import struct
import sys
import time
from pathlib import Path

PERIOD = 0.005
SAMPLE = struct.Struct("<dd")
"""Time of day in seconds, lag in seconds."""
_BATCH = 200


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


async def beat(path: Path) -> None:
    """Write samples to ``path`` until cancelled, about once a second, off the loop."""
    loop = asyncio.get_running_loop()
    samples = bytearray()
    while True:
        due = loop.time() + PERIOD
        await asyncio.sleep(PERIOD)
        samples += SAMPLE.pack(time.time(), loop.time() - due)
        if len(samples) >= _BATCH * SAMPLE.size:
            loop.run_in_executor(None, _append, path, bytes(samples))
            samples.clear()


if __name__ == "__main__":
    asyncio.run(beat(Path(sys.argv[1])))
