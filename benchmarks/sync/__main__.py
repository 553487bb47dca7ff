"""Our SFTP target against rclone, scp and rsync: the same server, line and bytes, in turns."""

import argparse
import asyncio
import getpass
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.ingest.measure import BenchFailed
from benchmarks.table import number, table
from tests.support.sshd import RealSshd, find_sshd

from . import peers
from .cases import Case, Load, big_load, cases, small_load
from .peers import Login, PeerMissing

_MEMORY: Final = Path("/dev/shm")
_PEERS: Final = {"rclone": peers.rclone_up, "scp": peers.scp_down, "rsync": peers.rsync_up}
_PROVE_GOAL_S: Final = 1.0
_LAG_GOAL_MS: Final = 10
_MEMORY_GOAL_MB: Final = 120


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench sync", description=__doc__)
    parser.add_argument("--big-mib", type=int, default=1024, help="the big file (%(default)s)")
    parser.add_argument("--files", type=int, default=2000, help="small files (%(default)s)")
    parser.add_argument("--file-bytes", type=int, default=200_000, help="of each (%(default)s)")
    parser.add_argument("--latency-ms", type=int, default=20, help="there and back (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="(%(default)s)")
    parser.add_argument("--only", default="", help="cases whose title has this text")
    parser.add_argument("--folder", type=Path, help="where the files lie; default: in memory")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number to FILE")
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class Bench:
    """The server, the lines to it, and what was measured."""

    def __init__(self, root: Path, server: RealSshd, line: int, arguments: argparse.Namespace):
        """``line`` is the port of the relay with latency."""
        self._root = root
        self._server = server
        self._line = line
        self._key = root / "key"
        self._key.touch(0o600)
        self._key.write_text(server.private_key)
        self._loads = {
            True: big_load(root / "big", arguments.big_mib << 20),
            False: small_load(root / "small", arguments.files, arguments.file_bytes),
        }
        self.theirs: dict[str, list[float]] = {}
        self.ours: dict[str, list[dict[str, Any]]] = {}
        self.missing: dict[str, str] = {}

    def play(self, case: Case) -> None:
        """One round of one comparison: the peer, then ours, each into an empty folder."""
        load = self._loads[case.big]
        try:
            with self._goal() as goal:
                seconds = self._peer(case, load, goal)
            self.theirs.setdefault(case.title, []).append(seconds)
            said = f"{case.peer} {seconds:.1f} s"
        except PeerMissing as err:
            self.missing[case.peer] = str(err)
            said = f"{case.peer} is missing"
        with self._goal() as goal:
            answer = self._own(case, load, goal)
        self.ours.setdefault(case.title, []).append(answer)
        _say(f"{case.title}: {said}, ours {answer['wall_s']:.1f} s")

    def prove(self, title: str, latency_ms: int) -> None:
        """The proof alone, of the small files that lie at the target already."""
        with self._goal() as goal:
            shutil.copytree(self._loads[False].folder, goal)
            case = Case(title, "", "prove", False, latency_ms, 0)
            answer = self._own(case, self._loads[False], goal)
        self.ours.setdefault(title, []).append(answer)
        _say(f"{title}: {answer['prove_s']:.2f} s")

    @contextmanager
    def _goal(self) -> Iterator[Path]:
        goal = self._server.root / "goal"
        yield goal
        shutil.rmtree(goal, ignore_errors=True)
        shutil.rmtree(self._root / "fetched", ignore_errors=True)

    def _port(self, case: Case) -> int:
        return self._line if case.latency_ms else self._server.port

    def _peer(self, case: Case, load: Load, goal: Path) -> float:
        login = Login(self._port(case), getpass.getuser(), self._key)
        log = self._root / f"{case.peer}.log"
        path = load.files[0][0]
        if case.way == "down":
            fetched = self._root / "fetched"
            fetched.mkdir()
            seconds = peers.scp_down(login, load.folder / path, fetched / "file", log)
            if (fetched / "file").stat().st_size != load.size:
                raise BenchFailed("scp brought something else")
            return seconds
        goal.mkdir()
        if case.big:
            seconds = peers.rclone_up(login, load.folder / path, goal / path, log)
        else:
            seconds = peers.rsync_up(login, load.folder, goal, log)
        self._check(load, goal)
        return seconds

    def _own(self, case: Case, load: Load, goal: Path) -> dict[str, Any]:
        fetched = self._root / "fetched"
        if case.way == "down":
            fetched.mkdir()
            goal.mkdir()
            for path, _, _ in load.files:
                (goal / path).parent.mkdir(parents=True)
                (goal / path).hardlink_to(load.folder / path)
        where = fetched / "file" if case.way == "down" else None
        order = self._root / "order.json"
        config = {
            "target_id": "bench",
            "name": "bench",
            "host": "127.0.0.1",
            "port": self._port(case),
            "username": getpass.getuser(),
            "path": str(goal),
            "host_key": self._server.host_key,
            "private_key": self._server.private_key,
            "reserve_bytes": 0,
        }
        files = [
            (str(where or load.folder / path), path, size, sha256)
            for path, size, sha256 in load.files
        ]
        order.write_text(json.dumps({"case": case.way, "target": config, "files": files}))
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.sync.ours", order],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BenchFailed(f"ours failed at {case.title}:\n{done.stderr[-3000:]}")
        if case.way == "up":
            self._check(load, goal)
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    @staticmethod
    def _check(load: Load, goal: Path) -> None:
        for path, size, _ in load.files:
            if not (goal / path).is_file() or (goal / path).stat().st_size != size:
                raise BenchFailed(f"{path} did not arrive whole")


def _comparisons(bench: Bench, played: list[Case]) -> list[list[str]]:
    rows = []
    for case in played:
        own = [answer["wall_s"] for answer in bench.ours[case.title]]
        peer = bench.theirs.get(case.title)
        ratios = [theirs / mine for theirs, mine in zip(peer, own, strict=True)] if peer else []
        ratio = ""
        if ratios:
            ratio = f"{number(median(ratios))} ({number(min(ratios))} to {number(max(ratios))})"
        rows.append(
            [
                case.title,
                f"{case.peer} {number(median(peer))}" if peer else f"no {case.peer}",
                number(median(own)),
                ratio,
                f"{case.goal:.2f}",
            ]
        )
    return rows


def _costs(bench: Bench) -> list[list[str]]:
    def middle(answers: list[dict[str, Any]], name: str) -> str:
        return number(median(answer[name] for answer in answers))

    rows = []
    for title, answers in bench.ours.items():
        lags = [answer["lag"] for answer in answers]
        memory = median(answer["peak_mb"] - answer["idle_mb"] for answer in answers)
        rows.append(
            [
                title,
                middle(answers, "prove_s"),
                middle(answers, "cpu_s"),
                number(median(lag["p99"] for lag in lags)),
                number(max(lag["worst"] for lag in lags)),
                number(memory),
            ]
        )
    return rows


def _play(root: Path, server: RealSshd, line: int, arguments: argparse.Namespace) -> Bench:
    bench = Bench(root, server, line, arguments)
    wanted = [case for case in cases(arguments.latency_ms) if arguments.only in case.title]
    for count in range(1, arguments.rounds + 1):
        _say(f"round {count} of {arguments.rounds}")
        for case in wanted:
            bench.play(case)
        for title, latency in (
            ("proof of the small files, loopback", 0),
            (f"proof of the small files, {arguments.latency_ms} ms", arguments.latency_ms),
        ):
            if arguments.only in title:
                bench.prove(title, latency)
    for peer, why in bench.missing.items():
        _say(f"not compared with {peer}: {why}")
    if wanted:
        head = ["seconds", "peer", "ours", "peer / ours (least to most)", "goal: at least"]
        _say("\n" + table(head, _comparisons(bench, wanted)))
    head = [
        "ours",
        f"proof, s (goal {_PROVE_GOAL_S:.0f} for the small files)",
        "CPU, s",
        f"loop p99, ms (goal {_LAG_GOAL_MS})",
        "loop max, ms",
        f"memory above idle, MB (goal {_MEMORY_GOAL_MB})",
    ]
    _say("\n" + table(head, _costs(bench)))
    return bench


async def _start(server: RealSshd) -> None:
    await server.start()


def _bench(arguments: argparse.Namespace) -> None:
    if find_sshd() is None:
        raise BenchFailed("sshd is not installed: scripts/setup --all")
    room = 4 * (arguments.big_mib << 20) + 4 * arguments.files * arguments.file_bytes
    folder = arguments.folder
    if folder is None and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > room:
        folder = _MEMORY
    with tempfile.TemporaryDirectory(prefix="bench-sync-", dir=folder) as name:
        root = Path(name)
        (root / "served").mkdir()
        server = RealSshd(root / "served")
        asyncio.run(_start(server))
        relay = subprocess.Popen(
            [
                *(sys.executable, "-m", "benchmarks.sync.relay"),
                *(str(server.port), str(arguments.latency_ms)),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert relay.stdout is not None
            bench = _play(root, server, int(relay.stdout.readline()), arguments)
            if arguments.json:
                report = {"peers": bench.theirs, "ours": bench.ours, "missing": bench.missing}
                arguments.json.write_text(json.dumps(report, indent=2) + "\n")
        finally:
            relay.terminate()
            relay.wait()
            asyncio.run(server.close())


def main() -> int:
    """Status 0 when every byte arrived on every way, whatever the times."""
    try:
        _bench(_arguments())
    except BenchFailed as err:
        sys.stderr.write(f"bench: {err}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
