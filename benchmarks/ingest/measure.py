"""What a program cost, and what it left behind."""

import hashlib
import os
import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PIECE: Final = 1 << 20
_TICK: Final = os.sysconf("SC_CLK_TCK")


class BenchFailed(Exception):
    """A contestant or its preparation did not do its work."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one program and all that it started."""

    wall_s: float
    cpu_s: float
    """User and system time."""
    peak_rss_mb: float
    """Of its largest process."""


def run(command: Sequence[str | Path], environment: Mapping[str, str], log: Path) -> Cost:
    """Run a program to its end; its output goes to ``log``. BenchFailed when it fails."""
    os.sync()  # what was written before must not be flushed on this program's time
    with log.open("wb") as out:
        began = time.monotonic()
        process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
        status, usage = _wait(process)
        wall = time.monotonic() - began
    if status:
        tail = log.read_text(errors="replace")[-2000:]
        raise BenchFailed(f"{command[0]} ended with {status}:\n{tail}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _wait(process: subprocess.Popen[bytes]) -> tuple[int, resource.struct_rusage]:
    """The kernel's own account of this program: with its children, without other programs."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage


def cpu_seconds(pid: int) -> float:
    """What a running process used so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


@dataclass(frozen=True, slots=True)
class Harvest:
    """Photos in a folder."""

    files: int
    size: int
    digest: str
    """Over the SHA-256 of every file, sorted: equal for equal bytes, whatever the names."""


def harvest(folder: Path) -> Harvest:
    """Read all photos below; not what our engine keeps beside them (markers, records, sidecars)."""
    photos = [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and path.suffix not in {".json", ".xmp"}
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    hashes = sorted(map(_sha256, photos))
    whole = hashlib.sha256("".join(hashes).encode()).hexdigest()
    return Harvest(len(photos), sum(path.stat().st_size for path in photos), whole)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
