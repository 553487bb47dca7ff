"""The comparisons: what each side has to move, over which line, and the goal."""

import hashlib
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Case:
    """One comparison."""

    title: str
    peer: str
    """``rclone``, ``scp`` or ``rsync``."""
    way: str
    """``up`` or ``down``."""
    big: bool
    latency_ms: int
    goal: float
    """Least peer's time divided by ours."""


@dataclass(frozen=True, slots=True)
class Load:
    """Local files to move."""

    folder: Path
    files: tuple[tuple[str, int, str], ...]
    """Path below the folder, size, SHA-256."""

    @property
    def size(self) -> int:
        return sum(size for _, size, _ in self.files)


def cases(latency_ms: int) -> tuple[Case, ...]:
    """All of them, in the order they are played."""
    return (
        Case("one big file up, loopback", "rclone", "up", True, 0, 1.3),
        Case(f"one big file up, {latency_ms} ms", "rclone", "up", True, latency_ms, 1.2),
        Case(f"one big file down, {latency_ms} ms", "scp", "down", True, latency_ms, 0.9),
        Case(f"many small files up, {latency_ms} ms", "rsync", "up", False, latency_ms, 1 / 1.5),
    )


def big_load(folder: Path, size: int) -> Load:
    """One file of random bytes."""
    return _make(folder, [("2024/05/IMG_0001.MOV", size)])


def small_load(folder: Path, count: int, size: int) -> Load:
    """Many files of random bytes in a few folders, as photos lie."""
    return _make(folder, [(f"2024/{n % 12 + 1:02d}/IMG_{n:04d}.HEIC", size) for n in range(count)])


def _make(folder: Path, wanted: list[tuple[str, int]]) -> Load:
    files = []
    for seed, (path, size) in enumerate(wanted):
        goal = folder / path
        goal.parent.mkdir(parents=True, exist_ok=True)
        digest, rng = hashlib.sha256(), random.Random(seed)
        with goal.open("wb") as file:
            for begin in range(0, size, _PIECE):
                piece = rng.randbytes(min(_PIECE, size - begin))
                digest.update(piece)
                file.write(piece)
        files.append((path, size, digest.hexdigest()))
    return Load(folder, tuple(files))
