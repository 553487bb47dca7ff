"""How a file gets into the archive without being moved: a clone, a hard link, a copy."""

import errno
import fcntl
import os
import shutil
from pathlib import Path
from typing import Final

from ..archive import Archive
from .report import Mode, Way

# linux/fs.h; two files share their blocks until one of them is written to (btrfs, XFS, bcachefs)
_FICLONE: Final = 0x40049409
_NO_CLONE: Final = frozenset(
    {
        errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM,
        errno.ETXTBSY, errno.EISDIR, errno.EACCES,
    }
)  # fmt: skip
NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})
"""What a file system answers that makes no hard link of this file at that place."""
_PIECE: Final = 1 << 20


def way_for(archive: Archive, sample: Path, mode: Mode) -> Way:
    """How a file like ``sample`` gets into the archive. Blocking; the file is only opened.

    A clone is tried out in the archive's staging, which is emptied again.
    """
    if sample.is_relative_to(archive.root.resolve()):
        return Way.IN_PLACE
    probe = archive.part_of("adopt-probe")
    try:
        if clone(sample, probe):
            return Way.CLONE
    finally:
        probe.unlink(missing_ok=True)
    if mode is Mode.COPY:
        return Way.COPY
    return Way.LINK if _mount_of(sample) == _mount_of(archive.root) else Way.NONE


def clone(source: Path, part: Path) -> bool:
    """Make ``part`` a clone of ``source``; False where that does not work. Blocking; OSError."""
    with source.open("rb") as old:
        try:
            with part.open("wb") as new:
                fcntl.ioctl(new.fileno(), _FICLONE, old.fileno())
        except OSError as err:
            part.unlink(missing_ok=True)
            if err.errno not in _NO_CLONE:
                raise
            return False
    return True


def bring(source: Path, part: Path, mode: Mode) -> bool:
    """Make ``part`` out of ``source``; True when it is a file of its own, False for a hard link.

    Blocking; OSError. A hard link over a boundary of mounts is EXDEV, also on one file system.
    """
    part.unlink(missing_ok=True)
    if clone(source, part):
        return True
    if mode is Mode.LINK:
        os.link(source, part, follow_symlinks=False)
        return False
    with source.open("rb") as old, part.open("wb") as new:
        shutil.copyfileobj(old, new, _PIECE)
    return True


def _mount_of(path: Path) -> tuple[int, str]:
    """The file system and the mount that a path lies on: links cross neither."""
    fd = os.open(path, os.O_RDONLY)
    try:
        device = os.fstat(fd).st_dev
        try:
            lines = Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines()
        except OSError:
            return device, ""
        return device, next((line for line in lines if line.startswith("mnt_id:")), "")
    finally:
        os.close(fd)
