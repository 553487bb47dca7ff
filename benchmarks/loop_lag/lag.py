"""Samples of a heartbeat, and what they say."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from .loop_heartbeat.heartbeat import SAMPLE


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
    def of(cls, path: Path, began: float, ended: float) -> Self:
        """Samples of a heartbeat's file between two times of day, seconds. ValueError for none."""
        return cls.from_lags(
            [lag for at, lag in SAMPLE.iter_unpack(_whole(path)) if began <= at <= ended]
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


def _whole(path: Path) -> bytes:
    data = path.read_bytes()
    return data[: len(data) - len(data) % SAMPLE.size]
