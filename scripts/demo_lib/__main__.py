"""The main job without an Apple account, in a real Home Assistant, with the numbers checked."""

import argparse
import asyncio
import json
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import aiohttp

from . import DemoFailed
from .api import PASSWORD, USER
from .demo import Demo
from .live import Live
from .report import Report


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--assets", type=int, default=200, help="size of the library (%(default)s)")
    parser.add_argument(
        "--exit",
        action="store_true",
        help="stop after the run; status 0 only when every number agrees (always so"
        " when not attached to a terminal)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to FILE")
    parser.add_argument("--keep", action="store_true", help="leave the demo's folders behind")
    arguments = parser.parse_args()
    if arguments.assets < 1:
        parser.error("--assets must be at least 1")
    return arguments


class _Speaker:
    """Tells what happened, with the seconds since the start."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, text: str) -> None:
        sys.stdout.write(f"[{time.monotonic() - self._began:5.1f} s] {text}\n")
        sys.stdout.flush()


async def _main_job(demo: Demo) -> Report:
    await demo.run()
    await demo.clean_up()
    return await demo.report()


async def _stay_open(demo: Demo, say: _Speaker) -> None:
    say(f"Home Assistant stays open: {demo.hass.url}  user {USER}, password {PASSWORD}")
    say("Ctrl-C ends it.")
    with suppress(asyncio.CancelledError):
        while True:
            demo.hass.check()
            await asyncio.sleep(1)
    if task := asyncio.current_task():
        task.uncancel()


async def _run(arguments: argparse.Namespace) -> int:
    say = _Speaker()
    stay = not arguments.exit and sys.stdin.isatty() and sys.stdout.isatty()
    demo = Demo(assets=arguments.assets, say=say, live=Live(sys.stdout), keep=arguments.keep)
    try:
        async with demo:
            report = await _main_job(demo)
            sys.stdout.write(f"\n{report.table()}\n\n")
            say(
                "All of it ran on this one machine: the archive was entered as a share of another"
                " machine, the SFTP server plays one."
            )
            if arguments.json:
                arguments.json.write_text(json.dumps(report.as_json(), indent=2) + "\n")
            if not report.agrees:
                sys.stderr.write(f"{demo.log_tail()}\n")
            say("every number agrees" if report.agrees else "NOT every number agrees")
            if stay:
                await _stay_open(demo, say)
    except (DemoFailed, aiohttp.ClientError, OSError) as err:
        sys.stderr.write("\n".join([*getattr(err, "__notes__", []), f"demo: {err}", ""]))
        return 1
    return 0 if report.agrees else 1


async def _until_told() -> int:
    """Ctrl-C and SIGTERM end everything in order."""
    task = asyncio.ensure_future(_run(_arguments()))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        sys.stdout.write("\nstopped\n")
        return 130


if __name__ == "__main__":
    sys.exit(asyncio.run(_until_told()))
