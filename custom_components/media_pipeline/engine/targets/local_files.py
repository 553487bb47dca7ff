"""Blocking file work below a folder target's root, safe against the mount vanishing under us.

Everything is done relative to a directory handle of the root, and the handle is compared with the
path each time the marker is checked: when a mount goes away, its handle goes with it, and nothing
can be written to the empty directory that is left.
"""

import errno
import hashlib
import os
import random
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Final, Self

from ..errors import (
    DeviceChanged,
    FileVanished,
    NameRefused,
    PipelineError,
    SourceFileChanged,
    TargetFull,
    TargetReadOnly,
    TargetUnreachable,
)
from ..marker import FolderIdentity, check_folder
from .local_copy import copy_inside
from .paths import PART_MAX_AGE, is_part, parent_of

_PIECE: Final = 1 << 20
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_READ_ONLY: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_NAME: Final = frozenset({errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.EFBIG})
_NO_HARD_LINKS: Final = frozenset(
    {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES}
)


class Stopped(Exception):
    """Work in a thread ended early because its caller was cancelled."""


def target_error(err: OSError, path: str) -> PipelineError:
    """What an error of the target's file system means."""
    text = f"{path}: {err}"
    if err.errno in _FULL:
        return TargetFull(text, path=path)
    if err.errno in _READ_ONLY:
        return TargetReadOnly(text, path=path)
    if err.errno in _NAME:
        return NameRefused(text, path=path)
    return TargetUnreachable(text, path=path)


class OpenRoot:
    """A handle on the target's root directory. Use as a context manager; raises OSError."""

    def __init__(self, folder: Path, known: FolderIdentity) -> None:
        """``known`` is what the marker and the device must be."""
        self.folder = folder
        self._known = known
        self.fd = -1

    def __enter__(self) -> Self:
        self.fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    def check(self) -> None:
        """Raise MarkerMissing, MarkerForeign or DeviceChanged unless this still is our folder."""
        check_folder(self.folder, self._known)
        if not os.path.samestat(os.fstat(self.fd), self.folder.stat()):
            raise DeviceChanged(f"{self.folder} was replaced", path=str(self.folder))

    def free_bytes(self) -> int:
        """Bytes that may still be written."""
        info = os.fstatvfs(self.fd)
        return info.f_bavail * info.f_frsize

    def look(self, path: str) -> os.stat_result | None:
        """What lies at ``path`` (links not followed), None for nothing."""
        try:
            return os.stat(path, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError, NotADirectoryError:
            return None

    def make_parents(self, path: str) -> None:
        """Make the directories that ``path`` needs and flush each new name to disk."""
        parent = parent_of(path)
        if not parent:
            return
        try:
            os.mkdir(parent, dir_fd=self.fd)
        except FileExistsError:
            return
        except FileNotFoundError:
            self.make_parents(parent)
            with suppress(FileExistsError):
                os.mkdir(parent, dir_fd=self.fd)
        self.flush_directory(parent_of(parent))

    def flush_directory(self, path: str) -> None:
        """Make new and removed names in a directory last; file systems without that are excused."""
        fd = os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.fd)
        try:
            os.fsync(fd)
        except OSError as err:
            if err.errno not in {errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES}:
                raise
        finally:
            os.close(fd)

    def publish(self, part: str, final: str, *, replace: bool) -> None:
        """Give a part file its name. FileExistsError when it is taken and ``replace`` is false."""
        if replace:
            os.replace(part, final, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        else:
            self._publish_new(part, final)
        self.flush_directory(parent_of(final))

    def _publish_new(self, part: str, final: str) -> None:
        try:
            os.link(part, final, src_dir_fd=self.fd, dst_dir_fd=self.fd, follow_symlinks=False)
        except OSError as err:
            if err.errno not in _NO_HARD_LINKS:
                raise
        else:
            os.unlink(part, dir_fd=self.fd)
            return
        # exFAT and some network shares have no hard links; then a look must do.
        if self.look(final) is not None:
            raise FileExistsError(errno.EEXIST, "taken", final)
        os.rename(part, final, src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def remove(self, path: str) -> bool:
        """Remove a file; False when it was not there."""
        try:
            os.unlink(path, dir_fd=self.fd)
        except FileNotFoundError, NotADirectoryError:
            return False
        return True

    def write_part(
        self,
        source: Path,
        part: str,
        *,
        size: int,
        sha256: str,
        mtime: float,
        stop: Event,
        report: Callable[[int], None],
    ) -> None:
        """Copy ``source`` to the new file ``part``, hash it on the way, flush it, set its time.

        Raises SourceFileChanged, FileVanished, Stopped and OSError (of the target); the caller
        removes the part file.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        digest, count = hashlib.sha256(), 0
        out = os.open(part, flags, 0o666, dir_fd=self.fd)
        try:
            with open_source(source) as opened:
                inside = copy_inside(opened.fd, out, size, stop.is_set)
                while piece := opened.read():
                    if stop.is_set():
                        raise Stopped
                    digest.update(piece)
                    count += len(piece)
                    if not inside:
                        write_all(out, piece)
                    report(len(piece))
            if count != size or digest.hexdigest() != sha256:
                raise SourceFileChanged(f"{source} changed since it was proven", path=str(source))
            set_mtime(out, mtime)
            os.fsync(out)
        finally:
            os.close(out)

    def hash_file(self, path: str, stop: Event) -> tuple[str, int] | None:
        """SHA-256 and size of what the disk holds, past the page cache; None for no such file."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            fd = os.open(path, flags, dir_fd=self.fd)
        except FileNotFoundError, NotADirectoryError:
            return None
        except OSError as err:
            if err.errno == errno.ELOOP:  # a link is not the file that was put there
                return None
            raise
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return None
            return hash_from_disk(fd, stop)
        finally:
            os.close(fd)

    def sweep(self, seconds: float) -> int:
        """Remove old part files for at most ``seconds``; returns how many.

        Directories come in random order, so that a big tree is covered over several runs.
        """
        until = time.monotonic() + seconds
        oldest = time.time() - PART_MAX_AGE
        waiting = [""]
        removed = 0
        while waiting and time.monotonic() < until:
            folder = waiting.pop(random.randrange(len(waiting)))
            with suppress(FileNotFoundError, PermissionError):
                removed += self._sweep_directory(folder, oldest, waiting)
        return removed

    def _sweep_directory(self, folder: str, oldest: float, waiting: list[str]) -> int:
        fd = os.open(folder or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.fd)
        removed = 0
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{folder}/{entry.name}".lstrip("/"))
                    # the change time: a part file already carries the photo's own mtime
                    elif is_part(entry.name) and (
                        entry.stat(follow_symlinks=False).st_ctime < oldest
                    ):
                        os.unlink(entry.name, dir_fd=fd)
                        removed += 1
        finally:
            os.close(fd)
        return removed


@dataclass(frozen=True, slots=True)
class OpenSource:
    """A local file that is being sent."""

    path: Path
    fd: int

    def read(self) -> bytes:
        """The next piece; empty at the end. Raises FileVanished."""
        try:
            return os.read(self.fd, _PIECE)
        except OSError as err:
            raise FileVanished(f"{self.path}: {err}", path=str(self.path)) from err


@contextmanager
def open_source(path: Path) -> Iterator[OpenSource]:
    """Open a file to send. Raises FileVanished."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as err:
        raise FileVanished(f"{path}: {err}", path=str(path)) from err
    try:
        yield OpenSource(path, fd)
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    """Write all of ``data``, however little the system takes at a time."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def set_mtime(fd: int, mtime: float) -> None:
    """Set a file's time; file systems that can't hold it are excused: the catalog knows it."""
    with suppress(OSError, OverflowError, ValueError):
        os.utime(fd, (mtime, mtime))


def hash_from_disk(fd: int, stop: Event) -> tuple[str, int]:
    """SHA-256 and size, read after the cached pages were dropped."""
    with suppress(OSError):
        os.fsync(fd)  # only pages that were written out can be dropped
    drop_cache(fd)
    digest, count = hashlib.sha256(), 0
    buffer = bytearray(_PIECE)
    view = memoryview(buffer)
    while got := os.readv(fd, [buffer]):
        if stop.is_set():
            raise Stopped
        digest.update(view[:got])
        count += got
    drop_cache(fd)
    return digest.hexdigest(), count


def drop_cache(fd: int) -> None:
    """Ask the kernel to forget a file's cached pages."""
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
