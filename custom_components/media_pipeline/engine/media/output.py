"""Where a child's result goes: its name, room for it, and making it durable. Blocking."""

import contextlib
import os
import shutil
from pathlib import Path

from ..errors import FileVanished, TargetFull
from .jobs import FILM, CompressJob, PhotoFormat, PhotoPreset, VideoPreset

SPARE = 16 << 20
_JPEG_ENDINGS = frozenset({".jpg", ".jpeg", ".jpe"})
_VIDEO_ENDINGS = {".mov": "mov", ".qt": "mov", ".mp4": "mp4", ".m4v": "mp4"}


def final_path(job: CompressJob) -> tuple[Path, str]:
    """Return where the copy goes (its ending fitting its content) and the container it gets."""
    path = job.destination
    if job.kind == "photo":
        wanted = job.preset.format if isinstance(job.preset, PhotoPreset) else PhotoFormat.JPEG
        fits = {wanted.suffix} if wanted.suffix != ".jpg" else _JPEG_ENDINGS
        suffix = path.suffix if path.suffix.lower() in fits else wanted.suffix
        return path.with_suffix(suffix), wanted.value
    container = _VIDEO_ENDINGS.get(path.suffix.lower())
    if isinstance(job.preset, VideoPreset) and job.preset.container not in {None, container}:
        container = None
    return (path, container) if container else (path.with_suffix(".mp4"), "mp4")


def size_of(path: Path) -> int:
    """Return a file's size in bytes; FileVanished when it is not there."""
    try:
        return path.stat().st_size
    except FileNotFoundError as err:
        raise FileVanished(str(err)) from err


def room_for(source: Path, final: Path, more: int) -> int:
    """Return the source's size once there is room for a copy of it and ``more`` bytes elsewhere.

    Raises FileVanished, TargetFull, and ValueError for a copy in its source's place.
    """
    size = size_of(source)
    if final.exists() and final.samefile(source):
        raise ValueError("a compressed copy can't replace its source")
    needed = size + more + SPARE
    if shutil.disk_usage(final.parent).free < needed:
        raise TargetFull(f"less than {needed} bytes free beside {final.name}")
    return size


def publish(source: Path, partial: Path, final: Path) -> int:
    """Make the finished copy durable under its name; return its size."""
    with partial.open("rb") as file:
        times = source.stat()
        os.utime(file.fileno(), ns=(times.st_atime_ns, times.st_mtime_ns))
        os.fsync(file.fileno())
        size = os.fstat(file.fileno()).st_size
    partial.replace(final)
    folder = os.open(final.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):  # some network shares can't
            os.fsync(folder)
    finally:
        os.close(folder)
    return size


def remove_partial(path: Path) -> None:
    """Remove what a child left unfinished, a motion photo's film too; never fails."""
    for one in (path, path.with_name(path.name + FILM)):
        with contextlib.suppress(OSError):
            one.unlink(missing_ok=True)
