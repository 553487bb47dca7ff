"""A big library listed for the first time, then ten new assets, then nothing new."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.table import number, table
from tests.icloud_server.client import StandIn


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench listing", description=__doc__)
    parser.add_argument("--assets", type=int, default=100_000, help="(%(default)s)")
    parser.add_argument("--new", type=int, default=10, help="(%(default)s)")
    parser.add_argument("--latency-ms", type=int, default=0, help="of each request (%(default)s)")
    return parser.parse_args()


def _listed(icloud: StandIn, root: Path) -> dict[str, Any]:
    """Run one listing in a process of its own; its numbers and the requests for photos."""
    private, archive = root / "private", root / "archive"
    private.mkdir(mode=0o700, exist_ok=True)
    account = {"BENCH_APPLE_ID": icloud.apple_id, "BENCH_PASSWORD": icloud.password}
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.listing.listed", private, archive, icloud.code],
        env={**os.environ, **icloud.environment, **account},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    icloud.control("reset_counts")
    answer, _ = process.communicate("\n")
    if process.returncode:
        raise SystemExit(f"the listing ended with {process.returncode}")
    numbers: dict[str, Any] = json.loads(answer)
    return numbers | {"calls": icloud.counts().get("requests", 0)}


def main() -> int:
    """Prints the table."""
    arguments = _arguments()
    with (
        tempfile.TemporaryDirectory(prefix="bench-listing-") as folder,
        StandIn.start(arguments.assets, real=0, latency_ms=arguments.latency_ms) as icloud,
    ):
        root = Path(folder)
        cases = {f"first listing of {arguments.assets:,}": _listed(icloud, root)}
        icloud.control("add", count=arguments.new)
        cases[f"{arguments.new} new"] = _listed(icloud, root)
        cases["nothing new"] = _listed(icloud, root)
        size = (root / "private" / "catalog.db").stat().st_size
    columns = ("calls", "wall_s", "cpu_s", "rss_before_mb", "peak_rss_mb")
    rows = [[name, *(number(case[column]) for column in columns)] for name, case in cases.items()]
    head = ["", "calls", "wall, s", "CPU, s", "RSS before, MB", "peak RSS, MB"]
    sys.stdout.write(table(head, rows) + f"\ncatalog: {size / 1e6:.0f} MB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
