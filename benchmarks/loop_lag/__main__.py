"""Home Assistant's event loop, idle and while ingest, compress, sync and verify run.

A real hass process with this integration set up as by a user (iCloud stand-in, a folder target, an
SFTP target) also loads a small integration of the benchmark's own: a 5 ms timer. The same timer
runs in a program of its own beside it, to tell the machine's share of the lag from ours, and
Python's garbage collections are noted: a full one stops a whole Home Assistant, whoever caused it.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

import aiohttp

from benchmarks.table import number, table
from scripts.demo_lib import DemoFailed
from scripts.demo_lib.demo import Demo

from .lag import Lag, longest_collection

_HERE: Final = Path(__file__).parent
_READY_SECONDS: Final = 60.0
_SETTLE_SECONDS: Final = 15.0
_WRITTEN_SECONDS: Final = 3.0
_HASS, _ALONE = "Home Assistant", "a program beside it"
_UNCOLLECTED: Final = "Home Assistant, not collecting"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench loop_lag", description=__doc__)
    parser.add_argument("--assets", type=int, default=200, help="photos and films (%(default)s)")
    parser.add_argument("--latency-ms", type=int, default=40, help="of iCloud (%(default)s)")
    parser.add_argument("--idle-seconds", type=float, default=30.0, help="(%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number to FILE")
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@asynccontextmanager
async def _heartbeat_beside(path: Path) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, _HERE / "loop_heartbeat" / "heartbeat.py", path
    )
    try:
        yield
    finally:
        process.kill()
        await process.wait()


async def _with_heartbeat(demo: Demo) -> Path:
    """Home Assistant again, this time with a heartbeat; the file of its samples."""
    config = demo.places.config
    (config / "custom_components" / "loop_heartbeat").symlink_to(_HERE / "loop_heartbeat")
    with (config / "configuration.yaml").open("a") as file:
        file.write("loop_heartbeat:\n")
    await demo.hass.stop()
    await demo.hass.start()
    await demo.api.log_in()
    end = time.monotonic() + _READY_SECONDS
    while set((await demo.states()).values()) <= {"unavailable"}:
        if time.monotonic() > end:
            raise DemoFailed(f"the integration was not loaded within {_READY_SECONDS:.0f} s")
        await asyncio.sleep(0.5)
    return config / "loop_heartbeat.samples"


async def _measure(arguments: argparse.Namespace) -> dict[tuple[str, str], Lag]:
    """(phase, whose loop) → lag."""
    async with Demo(assets=arguments.assets, latency_ms=arguments.latency_ms, say=_say) as demo:
        alone = demo.places.root / "alone.samples"
        async with _heartbeat_beside(alone):
            samples = await _with_heartbeat(demo)
            await asyncio.sleep(_SETTLE_SECONDS)
            _say(f"idle for {arguments.idle_seconds:.0f} s")
            idle = time.time()
            await asyncio.sleep(arguments.idle_seconds)
            running = time.time()
            done = await demo.run()
            ended = time.time()
            if done["outcome"] != "completed":
                raise DemoFailed(f"the run: {done}")
            _say(f"the run took {ended - running:.1f} s: {done['counts']}")
            await asyncio.sleep(_WRITTEN_SECONDS)
        lags = {}
        for phase, began, until in (("idle", idle, running), ("all stages", running, ended)):
            longest = longest_collection(samples, began, until)
            _say(f"{phase}: the longest garbage collection took {longest:.0f} ms")
            lags[phase, _HASS] = Lag.of(samples, began, until)
            lags[phase, _UNCOLLECTED] = Lag.of(samples, began, until, without_collections=True)
            lags[phase, _ALONE] = Lag.of(alone, began, until)
        return lags


def _table(lags: dict[tuple[str, str], Lag]) -> str:
    head = ["loop of", "while", "samples", "p50, ms", "p95, ms", "p99, ms", "p99.9, ms", "max, ms"]
    rows = []
    for (phase, whose), lag in lags.items():
        late = (lag.p50, lag.p95, lag.p99, lag.p999, lag.worst)
        rows.append([whose, phase, str(lag.samples), *map(number, late)])
    return table(head, rows)


async def _bench(arguments: argparse.Namespace) -> None:
    lags = await _measure(arguments)
    _say(f"\nHow late a 5 ms timer came; {os.cpu_count()} cores carry all of it\n")
    _say(_table(lags))
    if arguments.json:
        report = {
            "assets": arguments.assets,
            "latency_ms": arguments.latency_ms,
            "cores": os.cpu_count(),
            "lag_ms": [
                {"loop": whose, "phase": phase, **asdict(lag)}
                for (phase, whose), lag in lags.items()
            ],
        }
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


def main() -> int:
    """Status 0 when the run completed."""
    try:
        asyncio.run(_bench(_arguments()))
    except (DemoFailed, aiohttp.ClientError, OSError) as err:
        sys.stderr.write(f"bench: {err}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
