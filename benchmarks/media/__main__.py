"""Photos against jpegoptim, vips, avifenc and others; films against the ffmpeg command line.

Every tool makes the same: same format and quality, same codec, preset and CRF, on as many cores.
Ours is shown twice. "Encode alone" is reading, encoding and writing, which is what the others do.
"Whole" is what the pipeline does with each file: a child process with limits, the walk through the
container, decoding the result and comparing it with its source, and proving its metadata.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.ingest.measure import BenchFailed
from benchmarks.loop_lag.lag import Lag
from benchmarks.table import number, table
from custom_components.media_pipeline.engine.media.forks import SETTINGS

from . import floors, judging, subjects
from .peers import AV1, AVIF, HEVC, JPEG, LOSSLESS, WEBP, Peer, peers, search_path

_PROGRAMS: Final = {
    "whole": (sys.executable, "-m", "benchmarks.media.ours"),
    # by its path: the package would bring Home Assistant
    "alone": (sys.executable, str(Path(__file__).with_name("alone.py"))),
}
_BESIDE: Final = Path(__file__).resolve().parents[2].parent / "shared" / "samples"
_WHAT: Final = {
    JPEG: "jpeg", LOSSLESS: "jpeg_lossless", AVIF: "avif", WEBP: "webp", HEVC: "hevc", AV1: "av1",
}  # fmt: skip
_FILMS: Final = (HEVC, AV1)
_LAUNCH: Final = """
import json, resource, subprocess, sys, time
began = time.monotonic()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
wall, used = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
cpu = used.ru_utime + used.ru_stime
print(json.dumps({"wall_s": wall, "cpu_s": cpu, "peak_rss_mb": used.ru_maxrss / 1024}))
"""
WHOLE, ALONE = "ours, whole", "ours, encode alone"


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one tool and one round over all files; sizes in bytes, peak of its largest process."""

    wall_s: float
    cpu_s: float
    peak_rss_mb: float
    bytes: int = 0
    likeness: float = 0.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench media", description=__doc__)
    parser.add_argument("--tasks", nargs="*", choices=_WHAT, default=list(_WHAT), metavar="TASK")
    parser.add_argument("--photos", type=int, default=16, help="made ones (%(default)s)")
    parser.add_argument("--films", type=int, default=2, help="made ones (%(default)s)")
    parser.add_argument("--film-seconds", type=float, default=3.0, help="(%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="(%(default)s)")
    parser.add_argument("--samples", type=Path, default=_BESIDE, help="real ones, when there")
    parser.add_argument(
        "--floors", action="store_true", help="no peers: how alike results are at each care"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number to FILE")
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _run(command: list[str]) -> Cost:
    """A peer's cost; started by a small program, as it would count a large one's size as its own.

    Raises BenchFailed when it fails.
    """
    os.sync()  # what was written before must not be flushed on this program's time
    done = subprocess.run(
        [sys.executable, "-S", "-c", _LAUNCH, *command],
        env={**os.environ, "PATH": search_path()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise BenchFailed(f"{command[:6]}: {done.stderr.decode(errors='replace')[-2000:]}")
    return Cost(**json.loads(done.stdout))


def _apart[**P, T](work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """In a process of its own: programs that a large one starts count its size as their peak."""
    with ProcessPoolExecutor(1) as pool:
        return pool.submit(work, *args, **kwargs).result()


class Bench:
    """All tools over the same files, in turns."""

    def __init__(self, folder: Path, workers: int) -> None:
        """Results go below ``folder``."""
        self.folder = folder
        self.workers = workers
        self.costs: dict[tuple[str, str], list[Cost]] = {}
        self.beats: list[tuple[str, Lag, Lag]] = []
        self.missing: list[Peer] = []

    def subjects_of(self, task: str, sources: list[Path]) -> list[Path]:
        """The files that ours doesn't leave alone: nobody else is asked about the others."""
        answer = self._ours("whole", task, sources, self._place(task, "trial"))
        for name, reason in answer["left_alone"].items():
            _say(f"{task}: {name} is left alone ({reason}), so nobody gets it")
        return [one for one in sources if one.name not in answer["left_alone"]]

    def round(self, task: str, sources: list[Path]) -> None:
        """Every tool once."""
        for whose in (WHOLE, ALONE):
            place = self._place(task, whose)
            answer = self._ours("whole" if whose == WHOLE else "alone", task, sources, place)
            if answer["left_alone"]:
                raise BenchFailed(f"{task}, {whose}: {answer['left_alone']}")
            cost = Cost(answer["wall_s"], answer["cpu_s"], answer["peak_rss_mb"])
            self._note(task, whose, sources, place, cost)
            if "lag" in answer:
                self.beats.append((task, *answer["lag"]))
        for peer in peers():
            if peer.task == task:
                self._peer(peer, sources)

    def _peer(self, peer: Peer, sources: list[Path]) -> None:
        place = self._place(peer.task, peer.name)
        lines = [peer.command(one, place / (one.stem + peer.suffix)) for one in sources]
        if any(line is None for line in lines):
            if peer.tool not in {one.tool for one in self.missing}:
                self.missing.append(peer)
            return
        words = [word for line in lines for word in line or ()]
        listed = place.parent / "words"
        listed.write_bytes("\0".join(words).encode() + b"\0")
        each = len(words) // len(lines)
        command = [
            "xargs", "-0", "-a", str(listed), "-P", str(self.workers), "-n", str(each), "env",
        ]  # fmt: skip
        self._note(peer.task, peer.name, sources, place, _run(command))

    def _ours(self, mode: str, task: str, sources: Sequence[Path], place: Path) -> dict[str, Any]:
        inside, beside = place.parent / "beats", place.parent / "beats-beside"
        for old in (inside, beside):
            old.write_bytes(b"")
        order = {
            "what": _WHAT[task],
            "workers": self.workers,
            "files": list(map(str, sources)),
            "folder": str(place),
            "beats": str(inside),
        }
        heart = Path(__file__).parents[1] / "loop_lag" / "loop_heartbeat" / "heartbeat.py"
        other = subprocess.Popen([sys.executable, heart, beside])
        try:
            done = subprocess.run(
                [*_PROGRAMS[mode], json.dumps(order)],
                env=os.environ | SETTINGS,
                stdout=subprocess.PIPE,
                check=False,
            )
            time.sleep(1.5 if mode == "whole" else 0)  # until its last samples are written
        finally:
            other.kill()
            other.wait()
        if done.returncode:
            raise BenchFailed(f"{task}: our own program ended with {done.returncode}")
        answer: dict[str, Any] = json.loads(done.stdout)
        if mode == "whole":
            answer["lag"] = [Lag.of(one, *answer["between"]) for one in (inside, beside)]
        return answer

    def _place(self, task: str, whose: str) -> Path:
        place = self.folder / f"{task} {whose}".replace(",", "").replace(" ", "-") / "made"
        place.mkdir(parents=True, exist_ok=True)
        for old in place.iterdir():
            old.unlink()
        return place

    def _note(self, task: str, whose: str, sources: list[Path], place: Path, cost: Cost) -> None:
        made = sorted(place.iterdir(), key=lambda one: one.stem)
        if [one.stem for one in made] != [one.stem for one in sources]:
            raise BenchFailed(f"{task}, {whose}: {len(made)} results of {len(sources)} files")
        before = self.costs.setdefault((task, whose), [])
        alike = (
            before[0].likeness
            if before
            else _apart(judging.mean_likeness, sources, made, film=task in _FILMS)
        )
        size = judging.size_of(made)
        before.append(Cost(cost.wall_s, cost.cpu_s, cost.peak_rss_mb, size, alike))

    def rows(self, task: str, source_bytes: int) -> list[list[str]]:
        """One for each tool; ratios are the other's cost by ours, the median of the rounds."""
        mine = {whose: self.costs[task, whose] for whose in (WHOLE, ALONE)}
        found = []
        for (of, whose), costs in self.costs.items():
            if of != task:
                continue
            ratios = [
                number(
                    median(getattr(t, f) / getattr(o, f) for t, o in zip(costs, own, strict=True))
                )
                if whose not in mine
                else ""
                for own in mine.values()
                for f in ("cpu_s", "wall_s")
            ]
            found.append(
                [
                    f"{task}: {whose}",
                    number(median(cost.cpu_s for cost in costs)),
                    number(median(cost.wall_s for cost in costs)),
                    f"{costs[0].bytes / source_bytes:.3f}",
                    f"{costs[0].likeness:.4f}",
                    number(max(cost.peak_rss_mb for cost in costs)),
                    *ratios,
                ]
            )
        return found


_HEAD: Final = [
    "tool", "CPU, s", "wall, s", "size", "SSIM", "peak, MB", "CPU / whole", "wall / whole",
    "CPU / alone", "wall / alone",
]  # fmt: skip


def _bench(arguments: argparse.Namespace, folder: Path) -> None:
    workers = os.process_cpu_count() or 1
    samples = arguments.samples if arguments.samples.is_dir() else None
    bench = Bench(folder, workers)
    rows = []
    for film in (False, True):
        tasks = [task for task in arguments.tasks if (task in _FILMS) is film]
        if not tasks:
            continue
        made = folder / ("films" if film else "photos")
        made.mkdir()
        sources = (
            _apart(subjects.films, made, arguments.films, arguments.film_seconds, samples)
            if film
            else _apart(subjects.photos, made, arguments.photos, samples)
        )
        sources.sort(key=lambda one: one.stem)
        for task in tasks:
            taken = bench.subjects_of(task, sources)
            _say(f"{task}: {len(taken)} files, {judging.size_of(taken) / 1e6:.1f} MB")
            for _ in range(arguments.rounds):
                bench.round(task, taken)
            rows += bench.rows(task, judging.size_of(taken))
    _say(f"\n{workers} cores, {arguments.rounds} rounds in turns, medians; size: of the source\n")
    _say(table(_HEAD, rows))
    _say("\nHow late a 5 ms timer came on the loop beside the engine's thread, all rounds\n")
    _say(_lags(bench))
    for peer in bench.missing:
        _say(f"\n{peer.task}: {peer.tool} is missing, Debian package {peer.package}")
    if bench.missing:
        _say("scripts/setup --bench gets those that Debian has")
    if arguments.json:
        report = {
            f"{task}: {whose}": list(map(asdict, costs))
            for (task, whose), costs in bench.costs.items()
        }
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


def _floors(arguments: argparse.Namespace, folder: Path) -> None:
    samples = arguments.samples if arguments.samples.is_dir() else None
    place = folder / "made"
    place.mkdir()
    photos = subjects.photos(folder, arguments.photos, samples)
    photos += floors.photos_of_heic(folder, samples)
    films = subjects.films(folder, arguments.films, arguments.film_seconds, samples)
    _say(asyncio.run(floors.floors(photos, films, place)))


def _lags(bench: Bench) -> str:
    head = ["while", "p50, ms", "p99, ms", "max, ms", "a program beside it: p99, ms", "max, ms"]
    rows = []
    for task in dict.fromkeys(task for task, *_ in bench.beats):
        mine = [one for of, one, _ in bench.beats if of == task]
        other = [one for of, _, one in bench.beats if of == task]
        rows.append(
            [
                task,
                number(median(one.p50 for one in mine)),
                number(median(one.p99 for one in mine)),
                number(max(one.worst for one in mine)),
                number(median(one.p99 for one in other)),
                number(max(one.worst for one in other)),
            ]
        )
    return table(head, rows)


def main() -> int:
    """Status 0 when every tool made every file."""
    try:
        with tempfile.TemporaryDirectory(prefix="bench-media-") as folder:
            arguments = _arguments()
            (_floors if arguments.floors else _bench)(arguments, Path(folder))
    except (BenchFailed, OSError) as err:
        sys.stderr.write(f"bench: {err}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
