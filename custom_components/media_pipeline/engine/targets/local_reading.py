"""Bringing files back from a folder target, and listing what lies there. All of it blocks."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Final

from ..errors import FileVanished
from ..marker import MARKER_NAME
from .base import ListedFile
from .landing import Landing
from .local_files import OpenRoot, Stopped
from .paths import is_part

_PIECE: Final = 1 << 20
_NO_FILE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


def copy_out(
    root: OpenRoot, path: str, into: Path, stop: Event, report: Callable[[int], None]
) -> None:
    """Copy a file to the new file ``into``. Raises FileVanished, LocalWriteFailed and OSError."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, dir_fd=root.fd)
    except OSError as err:
        if err.errno in _NO_FILE:
            raise FileVanished(f"{path} is not there", path=path) from err
        raise
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise FileVanished(f"{path} is no file", path=path)
        with Landing(into) as landing:
            while piece := os.read(fd, _PIECE):
                if stop.is_set():
                    raise Stopped
                landing.write(piece)
                report(len(piece))
    finally:
        os.close(fd)


def list_directory(root: OpenRoot, folder: str) -> tuple[list[ListedFile], list[str]]:
    """The files of one directory and its directories (links not followed). Raises OSError."""
    files: list[ListedFile] = []
    folders: list[str] = []
    for entry in _entries(root, folder):
        path = f"{folder}/{entry.name}".lstrip("/")
        if entry.is_dir(follow_symlinks=False):
            folders.append(path)
        elif (
            entry.is_file(follow_symlinks=False)
            and entry.name != MARKER_NAME
            and not is_part(entry.name)
        ):
            files.append(ListedFile(path, entry.stat(follow_symlinks=False).st_size))
    return files, folders


def _entries(root: OpenRoot, folder: str) -> Iterator[os.DirEntry[str]]:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(folder or ".", flags, dir_fd=root.fd)
    except FileNotFoundError:
        return  # somebody removed it meanwhile
    try:
        with os.scandir(fd) as entries:
            yield from entries
    finally:
        os.close(fd)
