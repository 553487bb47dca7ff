"""Our ingest against icloudpd from PyPI: the same library, the same latency, in turns."""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.table import number, table
from tests.icloud_server.client import StandIn

from .contestants import ICLOUDPD, IcloudPd, Ours
from .measure import BenchFailed
from .rounds import AGAIN, FIRST, MEASURES, START, Rounds


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench ingest", description=__doc__)
    parser.add_argument("--photos", type=int, default=500, help="(%(default)s)")
    parser.add_argument("--photo-bytes", type=int, default=200_000, help="about; (%(default)s)")
    parser.add_argument("--latency-ms", type=int, default=40, help="of each request (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="(%(default)s)")
    parser.add_argument("--folder", type=Path, help="where to download to; default: a new one")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number to FILE")
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _ratio(values: list[float]) -> str:
    if not values:
        return ""
    return f"{number(median(values))} ({number(min(values))} to {number(max(values))})"


def _rows(rounds: Rounds) -> list[list[str]]:
    peer, ours = IcloudPd.name, Ours.name
    rows = []
    for case in (FIRST, AGAIN, START):
        for measure in MEASURES:
            theirs = rounds.values(case, peer, measure.field)
            own = rounds.values(case, ours, measure.field)
            if not median(theirs) and not median(own):
                continue
            ratios = rounds.ratios(case, measure.field, peer, ours)
            rows.append(
                [
                    f"{case}: {measure.title}",
                    number(median(theirs)),
                    number(median(own)),
                    _ratio(ratios),
                ]
            )
    assert rounds.harvest is not None
    gigabytes = rounds.harvest.size / 1e9
    theirs, own = (
        [value / gigabytes for value in rounds.values(FIRST, name, "cpu_s")]
        for name in (peer, ours)
    )
    ratios = rounds.ratios(FIRST, "cpu_s", peer, ours)
    rows.append(
        ["first run: CPU, s per GB", number(median(theirs)), number(median(own)), _ratio(ratios)]
    )
    for title, both in (("of icloudpd", False), ("of both", True)):
        net = rounds.net_ratios(peer, ours, both=both)
        rows.append([f"first run: wall without the start {title}", "", "", _ratio(net)])
    return rows


def _report(rounds: Rounds, arguments: argparse.Namespace) -> dict[str, Any]:
    assert rounds.harvest is not None
    peer, ours = IcloudPd.name, Ours.name
    return {
        "photos": arguments.photos,
        "latency_ms": arguments.latency_ms,
        "rounds": arguments.rounds,
        "cores": os.cpu_count(),
        "icloudpd": ICLOUDPD,
        "files": rounds.harvest.files,
        "bytes": rounds.harvest.size,
        "equal_bytes": True,
        "wall_ratio": median(rounds.ratios(FIRST, "wall_s", peer, ours)),
        "wall_ratio_without_start_of_icloudpd": median(rounds.net_ratios(peer, ours, both=False)),
        "wall_ratio_without_starts": median(rounds.net_ratios(peer, ours, both=True)),
        "cases": rounds.as_json(),
    }


def _bench(arguments: argparse.Namespace) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="bench-ingest-", dir=arguments.folder) as folder,
        StandIn.start(
            arguments.photos,
            kinds="jpeg",
            real=0,
            photo_bytes=arguments.photo_bytes,
            latency_ms=arguments.latency_ms,
        ) as icloud,
    ):
        root = Path(folder)
        ours = Ours(icloud, root / "ours")
        peer = IcloudPd(icloud, root / "peer", trusted=ours.session_file)
        rounds = Rounds(icloud, (ours, peer), root)
        for count in range(1, arguments.rounds + 1):
            _say(f"round {count} of {arguments.rounds}")
            rounds.play(_say)
    found = rounds.harvest
    assert found is not None
    _say(
        f"\n{found.files} photos, {found.size / 1e6:.0f} MB, equal bytes on both sides;"
        f" {arguments.latency_ms} ms latency, {arguments.rounds} rounds in turns,"
        f" {os.cpu_count()} cores\n"
    )
    head = ["median", f"icloudpd {ICLOUDPD}", "media_pipeline", "icloudpd / ours (least to most)"]
    _say(table(head, _rows(rounds)))
    if arguments.json:
        arguments.json.write_text(json.dumps(_report(rounds, arguments), indent=2) + "\n")


def main() -> int:
    """Status 0 when both ended with the whole library."""
    try:
        arguments = _arguments()
        _bench(arguments)
    except BenchFailed as err:
        sys.stderr.write(f"bench: {err}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
