"""Samples of a heartbeat, and what they say."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from .loop_heartbeat.heartbeat import PAUSES, SAMPLE


@dataclass(frozen=True, slots=True)
class Lag:
    """How late a 5 ms timer came, in milliseconds."""

    samples: int
    p50: float
    p95: float
    p99: float
    p999: float
    worst: float

    @classmethod
    def of(
        cls, path: Path, began: float, ended: float, *, without_collections: bool = False
    ) -> Self:
        """Samples of a heartbeat's file between two times of day, seconds. ValueError for none.

        ``without_collections`` leaves out what was late while Python collected garbage.
        """
        pauses = read(path.with_suffix(PAUSES)) if without_collections else []
        return cls.from_lags(
            [
                lag
                for at, lag in read(path)
                if began <= at <= ended
                and not any(start < at and start + long > at - lag for start, long in pauses)
            ]
        )

    @classmethod
    def from_lags(cls, lags: Sequence[float]) -> Self:
        """From lags in seconds; ValueError when there are none."""
        if not lags:
            raise ValueError("no samples")
        ordered = sorted(lag * 1000 for lag in lags)

        def percentile(share: float) -> float:
            return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

        return cls(
            samples=len(ordered),
            p50=percentile(0.50),
            p95=percentile(0.95),
            p99=percentile(0.99),
            p999=percentile(0.999),
            worst=ordered[-1],
        )


def longest_collection(path: Path, began: float, ended: float) -> float:
    """Milliseconds of the longest garbage collection in that time; 0 for none."""
    pauses = (long for start, long in read(path.with_suffix(PAUSES)) if began <= start <= ended)
    return max(pauses, default=0.0) * 1000


def read(path: Path) -> list[tuple[float, float]]:
    """All whole samples of a file."""
    data = path.read_bytes()
    return list(SAMPLE.iter_unpack(data[: len(data) - len(data) % SAMPLE.size]))
