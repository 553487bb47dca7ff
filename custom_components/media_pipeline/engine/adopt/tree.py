"""The walk through a tree: every file once, with what the file system says. Everything blocks."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import (
    AdoptFolderInUse,
    AdoptFolderMissing,
    AdoptFolderNotReadable,
)
from ..marker import MARKER_NAME, read_marker
from .report import FileClass

_FOREIGN_FOLDERS: Final = frozenset(
    {"@eadir", "#recycle", "#snapshot", "$recycle.bin", "lost+found", "system volume information"}
)
_LISTS: Final = "sha256sums"
_UNFINISHED: Final = (".part", ".tmp", ".temp", ".partial", ".crdownload", ".download")


@dataclass(frozen=True, slots=True)
class TreeFile:
    """A regular file."""

    path: str
    """Absolute."""
    size: int
    mtime_ns: int
    inode: tuple[int, int]
    """Device and number: two paths with the same one are one file."""


@dataclass(frozen=True, slots=True)
class Passed:
    """Something that is not looked into."""

    kind: FileClass
    path: str
    size: int = 0


def check_root(root: Path, *, archive_id: str | None, apart_from: tuple[Path, ...]) -> Path:
    """The tree's real path, when it may be adopted.

    Raises AdoptFolderMissing, AdoptFolderNotReadable, or AdoptFolderInUse for a folder that is, or
    lies in or around, one of ``apart_from``, or lies in a folder that carries a marker of ours
    other than the archive's: a target's copies must stay apart from the archive's files.
    """
    if not root.is_absolute() or not root.is_dir():
        raise AdoptFolderMissing(f"{root} is no folder", path=str(root))
    real = root.resolve()
    if not os.access(real, os.R_OK | os.X_OK):
        raise AdoptFolderNotReadable(f"{real} can't be read", path=str(root))
    for other in apart_from:
        taken = other.resolve()
        if real.is_relative_to(taken) or taken.is_relative_to(real):
            raise AdoptFolderInUse(f"{real} overlaps {taken}", path=str(root))
    if in_foreign_place(real / "x", archive_id):
        raise AdoptFolderInUse(f"{real} lies below a marker", path=str(root))
    return real


def in_foreign_place(real: Path, archive_id: str | None) -> bool:
    """Whether a file lies in a target or an archive other than ours. Blocking."""
    return any(_is_foreign(folder, archive_id) for folder in real.parents)


def walk(root: Path, archive_id: str | None) -> Iterator[TreeFile | Passed]:
    """Every file below ``root``, which is a real path. Links are not followed.

    Raises AdoptFolderNotReadable when the root itself can't be listed; what lies deeper costs only
    itself. Folders that carry another marker than the archive's are passed over.
    """
    waiting = [str(root)]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as err:
            if folder == str(root):
                raise AdoptFolderNotReadable(str(err), path=folder) from err
            yield Passed(FileClass.UNREADABLE, folder)
            continue
        folders = []
        for entry in entries:
            found = _look(entry, archive_id)
            if isinstance(found, str):
                folders.append(found)
            elif found is not None:
                yield found
        waiting.extend(reversed(folders))


def _look(entry: os.DirEntry[str], archive_id: str | None) -> TreeFile | Passed | str | None:
    """A file, something passed over, or the path of a folder to walk."""
    try:
        entry.path.encode()
    except UnicodeEncodeError:
        return Passed(FileClass.UNREADABLE, entry.path)
    try:
        if entry.is_symlink():
            return Passed(FileClass.IGNORED, entry.path)
        name = entry.name.lower()
        if entry.is_dir(follow_symlinks=False):
            skip = name.startswith(".") or name in _FOREIGN_FOLDERS
            if skip or _is_foreign(Path(entry.path), archive_id):
                return None
            return entry.path
        if not entry.is_file(follow_symlinks=False):
            return None  # pipes and devices are no files of a photo library
        stat = entry.stat(follow_symlinks=False)
    except OSError:
        return Passed(FileClass.UNREADABLE, entry.path)
    if name.startswith((".", _LISTS)) or name.endswith(_UNFINISHED) or stat.st_size == 0:
        return Passed(FileClass.IGNORED, entry.path, stat.st_size)
    return TreeFile(entry.path, stat.st_size, stat.st_mtime_ns, (stat.st_dev, stat.st_ino))


def stat_file(path: Path) -> TreeFile | None:
    """One file by itself; None when it is none, or can't be looked at."""
    try:
        stat = path.stat(follow_symlinks=False)
    except OSError:
        return None
    if not path.is_file() or path.is_symlink() or stat.st_size == 0:
        return None
    return TreeFile(str(path), stat.st_size, stat.st_mtime_ns, (stat.st_dev, stat.st_ino))


def _is_foreign(folder: Path, archive_id: str | None) -> bool:
    """True for a folder of ours that is not this archive."""
    try:
        marker = read_marker(folder)
    except OSError:
        return (folder / MARKER_NAME).exists()
    return marker is not None and marker != archive_id
