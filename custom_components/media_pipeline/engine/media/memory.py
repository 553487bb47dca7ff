"""Is there memory enough for a film of this size? Asked before, as x265 dies without it."""

import resource
from pathlib import Path

# Measured at preset fast: 1080p took 0.65 GiB (HEVC) and 0.55 (AV1), 4K 1.6 GB; in 10 bits
# 1080p took 0.94 and 0.82 GiB. Address space: 1.4 and 1.7 GiB, in 10 bits 1.7 and 2.0.
_RESIDENT, _RESERVED = 300 << 20, 1450 << 20
_PER_PIXEL, _PER_DEEP_PIXEL = 180, 320
_DECODED = 40  # bytes for each pixel of pictures that are scaled down before they are encoded


def memory_short(pixels: int, shown: int = 0, depth: int = 8) -> str | None:
    """Return what is missing to encode pictures of so many pixels; None when it fits.

    ``shown`` is how many the source has when that is more, ``depth`` the bits of a sample.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    beside = _DECODED * shown if shown > pixels else 0
    work = (_PER_DEEP_PIXEL if depth > 8 else _PER_PIXEL) * pixels + beside
    needed = _RESERVED + work
    if limit != resource.RLIM_INFINITY and limit < needed:
        return f"{limit >> 20} MiB allowed, {needed >> 20} MiB needed"
    free, needed = memory_available(), _RESIDENT + work
    if free is not None and free < needed:
        return f"{free >> 20} MiB free, {needed >> 20} MiB needed"
    return None


def memory_available() -> int | None:
    """Bytes that the machine can give without swapping; None where the kernel doesn't say."""
    return _kilobytes(Path("/proc/meminfo"), "MemAvailable:")


def peak_resident() -> int | None:
    """This process's largest resident size in bytes.

    Not ``ru_maxrss``: that starts with the size of the process that forked this one.
    """
    return _kilobytes(Path("/proc/self/status"), "VmHWM:")


def near_limit() -> bool:
    """Whether this process's address space came close to what it may have."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    peak = _kilobytes(Path("/proc/self/status"), "VmPeak:")
    return limit != resource.RLIM_INFINITY and peak is not None and peak > 0.8 * limit


def _kilobytes(path: Path, name: str) -> int | None:
    try:
        for line in path.read_text(encoding="ascii").splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    except OSError, ValueError:
        return None
    return None
