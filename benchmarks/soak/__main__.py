"""How it ends when a tenth of all of Apple's answers are wrong, in every way the stand-in knows."""

import argparse
import asyncio
import importlib.metadata
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.table import number, table
from tests.engine.harness import SHARED_MEMORY, World
from tests.engine.soak import Report, soak_ingest
from tests.engine.soak_cleanup import CleanupReport, soak_cleanup
from tests.icloud_server.client import StandIn


@contextmanager
def _world(assets: int, photo_bytes: int) -> Iterator[World]:
    root = Path(tempfile.mkdtemp(prefix="mp-soak-"))
    target = Path(tempfile.mkdtemp(prefix="mp-soak-target-", dir=SHARED_MEMORY))
    try:
        with StandIn.start(
            assets=assets, real=0, photo_bytes=photo_bytes, video_bytes=2 * photo_bytes
        ) as stand_in:
            os.environ.update(stand_in.environment)
            yield World(stand_in, root, target)
    finally:
        shutil.rmtree(root, ignore_errors=True)
        shutil.rmtree(target, ignore_errors=True)


def _print(report: Report) -> None:
    per_host: dict[str, int] = {}
    for name, count in report.struck.items():
        host = name.partition(":")[0]
        per_host[host] = per_host.get(host, 0) + count
    rows = [
        [host, str(count), str(per_host.get(host, 0))] for host, count in report.answers.items()
    ]
    print(table(["host", "answers", "wrong ones"], rows), end="\n\n")
    print(table(["fault", "times"], [[k, str(v)] for k, v in sorted(report.struck.items())]))
    print()
    print(table(["run ended", "times"], [[k, str(v)] for k, v in report.outcomes.most_common()]))
    print()
    numbers = {
        "starts of the engine": report.starts,
        "runs": report.runs,
        "API calls": report.api_calls,
        "downloads begun beyond one per file": report.retries,
        "codes that Apple sent": report.codes_sent,
        "codes and passwords a person entered": report.codes_entered + report.passwords_entered,
        "files archived": report.files,
        "MB archived": report.bytes / 1e6,
        "files missing": report.missing,
        "files wrong or twice": report.wrong,
        "assets falsely gone": report.gone,
        "files put aside": report.quarantined,
        "seconds": report.seconds,
        "peak RSS, MB": report.peak_mb,
    }
    print(table(["", ""], [[name, number(value)] for name, value in numbers.items()]))


def _print_cleanup(report: CleanupReport) -> None:
    stops = Counter(report.stops)
    numbers = {
        "answers of the database": report.answers.get("database", 0),
        "wrong ones, all hosts": sum(report.struck.values()),
        "plans executed": report.plans,
        "undos": report.undos,
        **{f"stopped: {reason}": count for reason, count in stops.most_common()},
        "assets freed": report.freed,
        "freed although not planned": len(report.not_planned),
        "freed only in our books": len(report.only_in_books),
        "freed only at Apple": len(report.only_at_apple),
        "assets in a wrong state": len(report.wrong_states),
        "not brought back by the undo": report.left_after_undo,
    }
    print(table(["cleanup", ""], [[name, str(value)] for name, value in numbers.items()]))


def main() -> None:
    """As the command line says."""
    parser = argparse.ArgumentParser(prog="scripts/bench soak", description=__doc__)
    parser.add_argument("--assets", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=0.1, help="share of wrong answers")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=100, help="changes of the library after it")
    parser.add_argument("--cleanup", type=int, default=300, help="assets to free and bring back")
    parser.add_argument("--photo-bytes", type=int, default=20_000)
    parser.add_argument("--without", default="", help="kinds to leave out, with ; between")
    arguments = parser.parse_args()
    print(f"pyicloud {importlib.metadata.version('pyicloud')}, seed {arguments.seed}\n")
    with _world(arguments.assets, arguments.photo_bytes) as world:
        report = asyncio.run(
            soak_ingest(
                world,
                rate=arguments.rate,
                seed=arguments.seed,
                rounds=arguments.rounds,
                most_runs=arguments.rounds + 200,
                without=arguments.without,
            )
        )
    _print(report)
    print()
    with _world(arguments.cleanup + 10, arguments.photo_bytes) as world:
        cleanup = asyncio.run(
            soak_cleanup(world, rate=arguments.rate, seed=arguments.seed, kept=10)
        )
    _print_cleanup(cleanup)
    off = cleanup.not_planned | cleanup.only_in_books | cleanup.only_at_apple | cleanup.wrong_states
    if (
        any((report.missing, report.wrong, report.gone, report.quarantined))
        or off
        or cleanup.left_after_undo
        or cleanup.freed != arguments.cleanup
    ):
        sys.exit("it did not end well")


if __name__ == "__main__":
    main()
