"""Copying inside one file system without moving the bytes through this machine.

Blocking. Two ways, both of which the kernel or the server does alone: a reflink shares the blocks
(btrfs, XFS), and ``copy_file_range`` has an NFS 4.2 or SMB 3 server copy on its side. Neither makes
a second place of it: copies that share the archive's file system count as one place with it.
"""

import errno
import fcntl
import os
from collections.abc import Callable
from typing import Final

_FICLONE: Final = 0x40049409
"""linux/fs.h: ``_IOW(0x94, 9, int)``."""
_PIECE: Final = 64 << 20
_NOT_HERE: Final = frozenset(
    {
        errno.EXDEV,
        errno.EOPNOTSUPP,
        errno.ENOTTY,
        errno.EINVAL,
        errno.ENOSYS,
        errno.EPERM,
        errno.EACCES,
        errno.ETXTBSY,
        errno.EISDIR,
    }
)


def copy_inside(source: int, goal: int, size: int, stopped: Callable[[], bool]) -> bool:
    """Give the empty file ``goal`` the bytes of ``source``; False where that is not possible.

    Then ``goal`` is empty again. Ends early once ``stopped`` says so. Raises OSError for what is
    wrong with the disk itself (full, broken).
    """
    if os.fstat(source).st_dev != os.fstat(goal).st_dev:
        return False
    return _reflink(source, goal) or _copy_range(source, goal, size, stopped)


def _reflink(source: int, goal: int) -> bool:
    try:
        fcntl.ioctl(goal, _FICLONE, source)
    except OSError as err:
        if err.errno not in _NOT_HERE:
            raise
        return False
    return True


def _copy_range(source: int, goal: int, size: int, stopped: Callable[[], bool]) -> bool:
    if not hasattr(os, "copy_file_range"):
        return False
    done = 0
    try:
        while done < size and not stopped():
            count = os.copy_file_range(source, goal, min(size - done, _PIECE), done, done)
            if count == 0:
                break
            done += count
    except OSError as err:
        if err.errno not in _NOT_HERE:
            raise
    if done == size or stopped():
        return True
    os.ftruncate(goal, 0)  # a server that gave up half-way, or a file that became shorter
    return False
