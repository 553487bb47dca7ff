"""Is this machine hot or busy with other work? Read from the kernel; judged with patience."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .memory import memory_available

HOT: Final = "hot"
BUSY: Final = "busy"
_TOO_HOT, _COOL = 80.0, 70.0  # degrees; a Raspberry Pi slows itself down from 80 on
_BELIEVABLE = range(1, 130)  # some sensors say 0 or nonsense
_OTHERS_HIGH, _OTHERS_LOW = 0.9, 0.7
_PRESSURE_HIGH, _PRESSURE_LOW = 10.0, 2.0
_TIMES = 3  # readings in a row, so that a moment's work stops nothing
_LONGEST_REST, _THEN_GO_ON = 60.0, 300.0
"""Seconds. Where others never rest, children, at the lowest priority, must get on all the same."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The machine at a moment; None where it doesn't say.

    ``others``: the part of all processors that other programs use, 0 to 1. ``pressure``: percent of
    the last ten seconds in which nothing got on for lack of memory (PSI). ``memory_free`` in bytes,
    ``temperature`` in degrees Celsius of the hottest sensor.
    """

    others: float | None = None
    pressure: float | None = None
    memory_free: int | None = None
    temperature: float | None = None


class Strain:
    """Judges readings one after the other; ``reason`` is why work should rest, None to go on."""

    def __init__(self) -> None:
        """At ease."""
        self.reason: str | None = None
        self._high = 0
        self._since = 0.0
        self._ignored_until = 0.0

    def judge(self, reading: Reading, now: float | None = None) -> str | None:
        """Take a reading in and return the new ``reason``."""
        now = time.monotonic() if now is None else now
        if self._hot(reading):
            self.reason = HOT
        elif self._busy(reading, now):
            self.reason = BUSY
        else:
            self.reason = None
        return self.reason

    def _hot(self, reading: Reading) -> bool:
        limit = _COOL if self.reason == HOT else _TOO_HOT
        return reading.temperature is not None and reading.temperature >= limit

    def _busy(self, reading: Reading, now: float) -> bool:
        resting = self.reason == BUSY
        others = reading.others or 0.0
        pressure = reading.pressure or 0.0
        if resting:
            busy = others >= _OTHERS_LOW or pressure >= _PRESSURE_LOW
        else:
            busy = others >= _OTHERS_HIGH or pressure >= _PRESSURE_HIGH
        self._high = self._high + 1 if busy else 0
        if now < self._ignored_until or not busy:
            return False
        if not resting:
            self._since = now
            return self._high >= _TIMES
        if now - self._since >= _LONGEST_REST:
            self._ignored_until = now + _THEN_GO_ON
            return False
        return True


class Sensors:
    """Reads the machine. Blocking, for a moment."""

    def __init__(self, root: Path = Path("/")) -> None:
        """``root`` is where ``proc`` and ``sys`` lie."""
        self._root = root
        self._before: tuple[float, float, float] | None = None

    def read(self) -> Reading:
        """The machine now; ``others`` is known from the second reading on."""
        return Reading(
            others=self._others(),
            pressure=self._pressure(),
            memory_free=memory_available(),
            temperature=self._temperature(),
        )

    def _others(self) -> float | None:
        """What others used since the last reading.

        Not the load average and not PSI of the processors: both count our children. Those run at
        the lowest priority, which the kernel's counters keep apart as "nice".
        """
        try:
            line = (self._root / "proc/stat").read_text(encoding="ascii").split("\n", 1)[0]
            ticks = [int(field) for field in line.split()[1:9]]
        except OSError, ValueError:
            return None
        if len(ticks) < 8:  # user nice system idle iowait irq softirq steal
            return None
        used = float(ticks[0] + ticks[2] + sum(ticks[5:8]))
        ours = time.process_time() * os.sysconf("SC_CLK_TCK")
        now = (used, float(sum(ticks)), ours)
        before, self._before = self._before, now
        if before is None or now[1] <= before[1]:
            return None
        others = (now[0] - before[0]) - (now[2] - before[2])
        return min(max(others / (now[1] - before[1]), 0.0), 1.0)

    def _pressure(self) -> float | None:
        try:
            text = (self._root / "proc/pressure/memory").read_text(encoding="ascii")
            full = next(line for line in text.splitlines() if line.startswith("full"))
            return float(full.split("avg10=", 1)[1].split()[0])
        except OSError, ValueError, IndexError, StopIteration:
            return None

    def _temperature(self) -> float | None:
        found = []
        for sensor in (self._root / "sys/class/thermal").glob("thermal_zone*/temp"):
            try:
                degrees = int(sensor.read_text(encoding="ascii")) / 1000
            except OSError, ValueError:
                continue  # a sensor of a part that sleeps
            if round(degrees) in _BELIEVABLE:
                found.append(degrees)
        return max(found, default=None)
