"""Rounds of A B A B, and what they say together."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from tests.icloud_server.client import StandIn

from .contestants import Contestant, Ours
from .measure import BenchFailed, Harvest, cpu_seconds, harvest, run

START, FIRST, AGAIN = "start", "first run", "nothing new"
CASES: Final = (START, FIRST, AGAIN)


@dataclass(frozen=True, slots=True)
class Sample:
    """One program in one round."""

    wall_s: float
    cpu_s: float
    peak_rss_mb: float
    requests: float
    stand_in_cpu_s: float


@dataclass(frozen=True, slots=True)
class Measure:
    """A column of a sample and how it is called."""

    field: str
    title: str


MEASURES: Final = (
    Measure("wall_s", "wall, s"),
    Measure("cpu_s", "CPU, s"),
    Measure("peak_rss_mb", "peak RSS, MB"),
    Measure("requests", "requests"),
    Measure("stand_in_cpu_s", "CPU of the stand-in, s"),
)


class Rounds:
    """Runs the contestants in turns and keeps every number."""

    def __init__(self, icloud: StandIn, contestants: Iterable[Contestant], root: Path) -> None:
        """``root`` holds the downloads, one round at a time."""
        self._icloud = icloud
        self._contestants = list(contestants)
        self._root = root
        self.samples: dict[tuple[str, str], list[Sample]] = {}
        """(case, contestant) → one sample per round."""
        self.harvest: Harvest | None = None

    def play(self, say: Callable[[str], None]) -> None:
        """One round: each contestant once. BenchFailed when they don't end with equal bytes."""
        for contestant in self._contestants:
            folder = self._root / contestant.name
            self._measure(START, contestant, folder)
            first = self._measure(FIRST, contestant, folder)
            found = harvest(folder)
            again = self._measure(AGAIN, contestant, folder)
            say(
                f"{contestant.name}: {found.files} files in {first.wall_s:.1f} s,"
                f" nothing new in {again.wall_s:.1f} s"
            )
            self._same(contestant, found)
            self._same(contestant, harvest(folder))
            shutil.rmtree(folder)
            shutil.rmtree(folder.with_name(f"{folder.name}-private"), ignore_errors=True)

    def _same(self, contestant: Contestant, found: Harvest) -> None:
        if self.harvest is None:
            self.harvest = found
        if found != self.harvest:
            raise BenchFailed(f"{contestant.name} has {found}, not {self.harvest}")

    def _measure(self, case: str, contestant: Contestant, folder: Path) -> Sample:
        command = contestant.start_only() if case == START else contestant.download(folder)
        self._icloud.control("reset_counts")
        before = cpu_seconds(self._icloud.pid)
        log = self._root / f"{contestant.name}.log"
        cost = run(command, Ours.environment(self._icloud), log)
        used = cpu_seconds(self._icloud.pid) - before
        requests = self._icloud.counts().get("requests", 0)
        sample = Sample(**asdict(cost), requests=requests, stand_in_cpu_s=used)
        self.samples.setdefault((case, contestant.name), []).append(sample)
        return sample

    def values(self, case: str, contestant: str, field: str) -> list[float]:
        """One number of every round."""
        return [float(getattr(sample, field)) for sample in self.samples[case, contestant]]

    def ratios(self, case: str, field: str, peer: str, ours: str) -> list[float]:
        """Peer divided by ours, round by round: neighbours in time share the machine's moods."""
        pairs = zip(self.values(case, peer, field), self.values(case, ours, field), strict=True)
        return [theirs / own for theirs, own in pairs if own]

    def net_ratios(self, peer: str, ours: str, *, both: bool) -> list[float]:
        """Wall time of the first run without the program's start, of the peer or of both."""

        def without_start(name: str) -> list[float]:
            starts = self.values(START, name, "wall_s")
            return [
                first - start
                for first, start in zip(self.values(FIRST, name, "wall_s"), starts, strict=True)
            ]

        own = without_start(ours) if both else self.values(FIRST, ours, "wall_s")
        return [theirs / mine for theirs, mine in zip(without_start(peer), own, strict=True)]

    def as_json(self) -> dict[str, Any]:
        """Every sample and the medians."""
        return {
            case: {
                name: {
                    measure.field: {"median": median(values), "rounds": values}
                    for measure in MEASURES
                    if (values := self.values(case, name, measure.field))
                }
                for name in (contestant.name for contestant in self._contestants)
            }
            for case in CASES
        }
