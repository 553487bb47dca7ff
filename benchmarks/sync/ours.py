"""Our side, a process of its own: the engine's thread does the work beside another thread's loop.

``ours.py ORDER``: a JSON file that says what to do. Prints one line of JSON. The main thread runs
an event loop with nothing but a timer, as Home Assistant's would be; how late that timer comes is
what the work costs Home Assistant.
"""

import asyncio
import hashlib
import json
import resource
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.loop_lag.lag import Lag
from custom_components.media_pipeline.engine.config import SftpTargetConfig
from custom_components.media_pipeline.engine.targets.base import ProofRequest, TargetIdentity
from custom_components.media_pipeline.engine.targets.hostkey import load_library
from custom_components.media_pipeline.engine.targets.sftp import SftpTarget
from custom_components.media_pipeline.engine.targets.together import Together

_PERIOD: Final = 0.005
_MTIME: Final = 1_716_000_000.0
_PARALLEL: Final = 8


@dataclass(slots=True)
class Order:
    """What is to be done."""

    case: str
    """``up``, ``down`` or ``prove``."""
    target: dict[str, Any]
    files: list[tuple[str, str, int, str]]
    """Local file, path at the target, size, SHA-256."""


@dataclass(slots=True)
class Answer:
    """What it took."""

    wall_s: float = 0.0
    """From connecting until every byte is proven."""
    prove_s: float = 0.0
    """The part of it that proved the copies."""
    cpu_s: float = 0.0
    idle_mb: float = 0.0
    peak_mb: float = 0.0
    lag: dict[str, float] = field(default_factory=dict)


class Wrong(Exception):
    """The target does not hold what it should."""


async def _work(order: Order, answer: Answer) -> None:
    target = SftpTarget(SftpTargetConfig(**order.target), TargetIdentity())
    began = time.monotonic()
    try:
        await target.open()
        proven = await _up(target, order) if order.case == "up" else set()
        if order.case == "down":
            await _down(target, order)
        else:
            before = time.monotonic()
            await _prove(target, order, proven)
            answer.prove_s = time.monotonic() - before
    finally:
        await target.close()
    answer.wall_s = time.monotonic() - began


async def _up(target: SftpTarget, order: Order) -> set[str]:
    """Deliver; returns the paths whose files were hashed there, and compared, on the way."""
    proven: set[str] = set()
    async with Together(target, _PARALLEL) as together, asyncio.TaskGroup() as group:
        # as the sync stage does it
        slots = asyncio.Semaphore(together.callers)

        async def send(source: str, path: str, size: int, sha256: str) -> None:
            async with slots:
                delivery = await together.deliver(
                    Path(source), path, size=size, sha256=sha256, mtime=_MTIME
                )
                if delivery.proof is not None and delivery.path == path:
                    proven.add(path)

        for file in order.files:
            group.create_task(send(*file))
    return proven


async def _down(target: SftpTarget, order: Order) -> None:
    for source, path, _, sha256 in order.files:
        await target.fetch(path, Path(source))
        with Path(source).open("rb") as file:
            digest = await asyncio.to_thread(hashlib.file_digest, file, "sha256")
        if digest.hexdigest() != sha256:
            raise Wrong(f"{path} came back with other bytes")


async def _prove(target: SftpTarget, order: Order, proven: set[str]) -> None:
    files = [file for file in order.files if file[1] not in proven]
    if not files:
        return
    proofs = await target.prove([ProofRequest(path, size) for _, path, size, _ in files])
    for proof, (_, path, _, sha256) in zip(proofs, files, strict=True):
        if proof.sha256 != sha256:
            raise Wrong(f"{path} is not what was sent")


def _memory(name: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise Wrong(f"no {name}")


async def _beat(lags: list[float], stop: Callable[[], bool]) -> None:
    loop = asyncio.get_running_loop()
    while not stop():
        due = loop.time() + _PERIOD
        await asyncio.sleep(_PERIOD)
        lags.append(loop.time() - due)


def _run(work: Awaitable[None], failed: list[BaseException]) -> None:
    async def main() -> None:
        await work

    try:
        asyncio.run(main())
    except BaseException as err:  # noqa: BLE001 - handed to the main thread
        failed.append(err)


def main() -> None:
    """Do what the file says."""
    values = json.loads(Path(sys.argv[1]).read_text())
    values["files"] = [tuple(file) for file in values["files"]]
    order, answer = Order(**values), Answer()
    asyncio.run(load_library())
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    answer.idle_mb = _memory("VmRSS")
    failed: list[BaseException] = []
    engine = threading.Thread(target=_run, args=(_work(order, answer), failed))
    lags: list[float] = []
    used = resource.getrusage(resource.RUSAGE_SELF)
    engine.start()
    asyncio.run(_beat(lags, lambda: not engine.is_alive()))
    engine.join()
    if failed:
        raise failed[0]
    answer.peak_mb = _memory("VmHWM")
    now = resource.getrusage(resource.RUSAGE_SELF)
    answer.cpu_s = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    answer.lag = asdict(Lag.from_lags(lags))
    sys.stdout.write(json.dumps(asdict(answer)) + "\n")


if __name__ == "__main__":
    main()
