"""One file becomes one of the archive, by the rules of the archive. Nothing of the user changes."""

import contextlib
import errno
import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..archive import Archive, os_error
from ..checksums import hash_file
from ..errors import BrokenContainer, ErrorBody, NameRefused, TargetFull, TargetReadOnly
from ..media.container import check_container
from ..names import portable_name, split_name
from ..stages.places import place_of
from ..targets.paths import check_path
from .match import Match
from .report import FileClass, Mode
from .tree import stat_file
from .ways import NO_LINKS, bring


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that lies in the archive now, proven there."""

    path: str
    sha256: str
    container: str


class Taker:
    """Takes files over into one archive. Everything blocks."""

    def __init__(self, archive: Archive, mode: Mode) -> None:
        """``mode`` is for files outside of the archive."""
        self._archive = archive
        self._mode = mode
        self._root = archive.root.resolve()

    def take(self, match: Match, row: Any, *, first: bool) -> Taken | FileClass:
        """Let ``match.file`` serve ``row``, a wanted file with its asset's place.

        ``first`` is False when the file serves another one already, which keeps it where it lies.
        Answers the class the file ends in when it does not serve. Raises TargetUnavailableError
        kinds for the archive.
        """
        self._archive.check()
        source = Path(match.file.path)
        if stat_file(source) != match.file:
            return FileClass.CHANGED
        if not os.access(source, os.R_OK):
            return FileClass.UNREADABLE
        try:
            if first and (relative := self._place_in_archive(source)) is not None:
                return self._in_place(source, relative, row)
            return self._brought(source, row)
        except BrokenContainer, ErrorBody:
            return FileClass.BROKEN
        except OSError as err:
            if stat_file(source) != match.file:
                return FileClass.CHANGED
            self._archive.check()
            named = os_error(err, self._archive.root)
            if isinstance(named, TargetFull | TargetReadOnly):
                raise named from err
            return FileClass.UNREADABLE  # the archive is well: a bad sector below this file

    def _place_in_archive(self, source: Path) -> str | None:
        """Its path in the archive, when it may stay there under its name.

        A name that not every target takes would keep the photo from ever being protected; such a
        file gets a second name of ours instead.
        """
        if not source.is_relative_to(self._root):
            return None
        relative = source.relative_to(self._root).as_posix()
        for part in PurePosixPath(relative).parts:
            if portable_name(part) != unicodedata.normalize("NFC", part):
                return None
        try:
            return check_path(relative)
        except NameRefused:
            return None

    def _in_place(self, source: Path, relative: str, row: Any) -> Taken | FileClass:
        digest = self._archive.read_back(relative, apple=True)
        if (digest.size, digest.apple) != (row.size, row.checksum):
            return FileClass.CHANGED
        container = check_container(source, split_name(row.filename)[1])
        _flush(source)
        _flush(source.parent)
        return Taken(relative, digest.sha256, container)

    def _brought(self, source: Path, row: Any) -> Taken | FileClass:
        part = self._archive.part_of(f"adopt-{row.id}")  # no name that a download writes to
        try:
            inside = source.is_relative_to(self._root)
            if self._mode is Mode.COPY and not inside:
                self._archive.need(row.size)
            try:
                own = bring(source, part, Mode.LINK if inside else self._mode)
            except OSError as err:
                if err.errno in NO_LINKS:
                    return FileClass.NOT_LINKED
                raise
            _flush(part)
            _drop_cache(part)
            digest = hash_file(part, apple=True)
            if (digest.size, digest.apple) != (row.size, row.checksum):
                return FileClass.CHANGED
            container = check_container(part, split_name(row.filename)[1])
            if own and row.captured is not None:
                # never through a hard link: its times are the user's
                with contextlib.suppress(OSError, OverflowError):
                    os.utime(part, (row.captured / 1000, row.captured / 1000))
            path = self._archive.publish(part, place_of(row), digest.sha256)
            return Taken(path, digest.sha256, container)
        finally:
            part.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Have the disk keep what another program wrote perhaps a moment ago."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError as err:
        if err.errno not in {errno.EINVAL, errno.ENOTSUP, errno.EBADF}:  # network file systems
            raise
    finally:
        os.close(fd)


def _drop_cache(path: Path) -> None:
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
