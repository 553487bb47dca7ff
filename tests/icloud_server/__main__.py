"""Runs a stand-in for iCloud: `python -m tests.icloud_server --assets 500`."""

import argparse
import asyncio
import dataclasses
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .app import StandInServer
from .control_door import ControlDoor
from .options import Options


def _arguments(command: Sequence[str] | None) -> tuple[Options, bool, bool]:
    parser = argparse.ArgumentParser(
        prog="python -m tests.icloud_server", description=sys.modules[__name__].__doc__
    )
    for field in dataclasses.fields(Options):
        parser.add_argument(
            "--" + field.name.replace("_", "-"),
            type=type(field.default),
            default=field.default,
            help=f"default: {field.default!r}",
        )
    parser.add_argument("--json", action="store_true", help="print one line of JSON when ready")
    parser.add_argument(
        "--with-parent",
        action="store_true",
        help="end when standard input closes; take orders from it, one JSON object a line",
    )
    values = vars(parser.parse_args(command))
    as_json, with_parent = values.pop("json"), values.pop("with_parent")
    return Options(**values), as_json, with_parent


def _tell(ready: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(ready) + "\n")
    else:
        sys.stdout.write(
            "A stand-in for iCloud is ready. For the program that shall use it:\n\n"
            f"  export HTTPS_PROXY={ready['proxy']}\n"
            f"  export REQUESTS_CA_BUNDLE={ready['ca']} SSL_CERT_FILE={ready['ca']}\n"
            "  export NO_PROXY=127.0.0.1,localhost\n\n"
            f"  Apple ID  {ready['apple_id']}\n"
            f"  Password  {ready['password']}\n"
            f"  Code      {ready['code']}\n"
            f"  Control   {ready['control']}  (POST /control, GET /counts, GET /state)\n\n"
            "Ctrl-C ends it.\n"
        )
    sys.stdout.flush()


async def _wait(control: ControlDoor, *, with_parent: bool) -> None:
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    orders = asyncio.create_task(_obey_parent(control, over)) if with_parent else None
    await over.wait()
    if orders is not None:
        orders.cancel()


async def _obey_parent(control: ControlDoor, over: asyncio.Event) -> None:
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        answer, _ = await control.obey(line)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    over.set()


async def _run(options: Options, *, as_json: bool, with_parent: bool) -> None:
    folder = Path(options.state_dir or tempfile.mkdtemp(prefix="icloud-stand-in-"))
    server = StandInServer(options)
    control = ControlDoor(server)
    port, ca_file = await server.start(folder)
    control_port = await control.start(options.control_port)
    _tell(
        {
            "proxy": f"http://127.0.0.1:{port}",
            "ca": str(ca_file),
            "control": f"http://127.0.0.1:{control_port}",
            "apple_id": options.apple_id,
            "password": options.password,
            "code": options.code,
            "pid": os.getpid(),
        },
        as_json=as_json,
    )
    await _wait(control, with_parent=with_parent)
    await control.stop()
    await server.stop()
    if not options.state_dir:
        shutil.rmtree(folder, ignore_errors=True)


def main(command: Sequence[str] | None = None) -> None:
    """Run until told to end; ``command`` are the arguments, else those of the process."""
    options, as_json, with_parent = _arguments(command)
    asyncio.run(_run(options, as_json=as_json, with_parent=with_parent))


if __name__ == "__main__":
    main()
