"""The archive: where verified originals lie, and how a file becomes one of them."""

import asyncio
import errno
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from .checksums import Digest, hash_file
from .errors import (
    MarkerMissing,
    SourceFileChanged,
    TargetFull,
    TargetReadOnly,
    TargetUnavailableError,
    TransientError,
)
from .marker import FolderIdentity, Watch, claim_folder, device_of
from .names import names_for
from .writing import Names, Writing

_LOGGER = logging.getLogger(__name__)
PARTS: Final = ".media_pipeline/parts"
COMPRESSED: Final = "compressed"
MOTION: Final = "motion"
SHARE: Final = "share"
NO_HARD_LINKS: Final = frozenset(
    {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
)
"""What a file system answers that has no hard links, or none left for a file."""


class Archive:
    """A folder with a marker. Methods marked blocking run in an executor."""

    def __init__(self, root: Path, identity: FolderIdentity | None, reserve: int) -> None:
        """``identity`` is what is remembered from before; None takes the folder into use."""
        self.root = root
        self.reserve = reserve
        self._identity = identity
        self._watch = None if identity is None else Watch(root, identity)
        self._names = Names()

    @property
    def identity(self) -> FolderIdentity | None:
        """What to remember about the folder."""
        return self._identity

    async def open(self) -> None:
        """Check that this is our archive. Raises TargetUnavailableError kinds."""
        await asyncio.to_thread(self._open)

    def _open(self) -> None:
        try:
            if self._identity is None:
                self.root.mkdir(parents=True, exist_ok=True)
                self._identity = claim_folder(self.root)
                self._watch = Watch(self.root, self._identity)
            self.check()
            (self.root / PARTS).mkdir(parents=True, exist_ok=True)
        except OSError as err:
            raise os_error(err, self.root) from err

    def check(self) -> None:
        """Refuse to go on when the folder is not the one we know. Blocking."""
        if self._watch is None:
            raise MarkerMissing("the archive was never opened", path=str(self.root))
        try:
            self._watch.check()
        except OSError as err:
            raise os_error(err, self.root) from err

    @property
    def domain(self) -> str:
        """Failure domain: targets on the same file system do not count as another copy."""
        return self._identity.device_id if self._identity else device_of(self.root)

    def path_of(self, relative: str) -> Path:
        """Absolute path of an archived file."""
        return self.root / relative

    def part_of(self, name: str) -> Path:
        """Where a download named ``name`` grows."""
        return self.root / PARTS / name

    def free_bytes(self) -> int:
        """Free space for the user that Home Assistant runs as. Blocking."""
        return shutil.disk_usage(self.root).free

    def need(self, size: int) -> None:
        """Raise TargetFull when ``size`` more bytes would eat into the reserve. Blocking."""
        free = self.free_bytes()
        if free < size + self.reserve:
            raise TargetFull(
                f"{free} bytes free, {size} needed", path=str(self.root), free=str(free)
            )

    def publish(self, part: Path, relative: str, sha256: str, *, flush: bool = True) -> str:
        """Give a finished, flushed part file its name without overwriting anything. Blocking.

        Returns the relative path used: another one when foreign bytes were in the way; the part
        file is dropped when the very same bytes lie there already (a crash after publishing).
        Without ``flush`` the name lasts after a call of ``flush`` only.
        """
        self.check()
        try:
            for candidate in names_for(relative, sha256):
                final = self.path_of(candidate)
                if _move_new_into(part, final):
                    if flush:
                        _flush_folder(final.parent)
                    return candidate
                if hash_file(final).sha256 == sha256:
                    _flush_folder(final.parent)  # a crash may have come before that
                    part.unlink()
                    return candidate
        except OSError as err:
            raise os_error(err, self.root) from err
        raise SourceFileChanged(f"{relative} and all its other names are taken", path=relative)

    def set_aside(self, relative: str, places: Iterable[str]) -> str | None:
        """Move a damaged file to the first of ``places`` that is free. Blocking; raises OSError.

        None when there is no such file, or all places are taken.
        """
        self.check()
        path = self.path_of(relative)
        if not path.is_file():
            return None
        for place in places:
            final = self.path_of(place)
            final.parent.mkdir(parents=True, exist_ok=True)
            if move_new(path, final):
                _flush_folder(final.parent)
                _flush_folder(path.parent)
                return place
        return None

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """For records and sidecars, which get their names at the end of the block. Blocking.

        They last after ``flush``.
        """
        try:
            with Writing(self._names) as writing:
                yield writing
        except OSError as err:
            raise os_error(err, self.root) from err

    def write_record(self, relative: str, data: bytes, key: str, writing: Writing) -> str:
        """Write our record of the asset ``key``, over an older one of it only. Blocking.

        Returns the relative path used: another one when somebody else's file is in the way.
        """
        return self._write_over(relative, data, lambda path: _is_record_of(path, key), writing)

    def write_sidecar(
        self, relative: str, data: bytes, before: str | None, writing: Writing
    ) -> str:
        """Write our sidecar, over one that is as we left it (SHA-256 ``before``) only. Blocking.

        Other programs keep their own words in sidecars of this name: theirs, and ours after they
        changed it, are left alone, and ours gets another name. Returns the relative path used.
        """
        ours = {before, hashlib.sha256(data).hexdigest()}
        return self._write_over(
            relative,
            data,
            lambda path: hash_file(path).sha256 in ours or not path.read_bytes().strip(b"\0"),
            writing,
        )

    def write_manifest(
        self, relative: str, data: bytes, before: str | None, older: Callable[[bytes], bool]
    ) -> str:
        """Write a list of checksums, over our last one (SHA-256 ``before``) or an ``older`` one.

        Blocking. Returns the relative path used: another one when somebody else's file is in the
        way.
        """
        there, sha256 = self.path_of(relative), hashlib.sha256(data).hexdigest()
        if there.is_file() and hash_file(there).sha256 == sha256:
            return relative
        with self.writing() as writing:
            path = self._write_over(
                relative,
                data,
                lambda there: hash_file(there).sha256 == before or older(there.read_bytes()),
                writing,
            )
        self.flush([path])
        return path

    def _write_over(
        self, relative: str, data: bytes, ours: Callable[[Path], bool], writing: Writing
    ) -> str:
        self.check()
        sha256 = hashlib.sha256(data).hexdigest()
        try:
            for candidate in names_for(relative, sha256):
                final = self.path_of(candidate)
                if not writing.take(final) or (final.exists() and not ours(final)):
                    continue
                writing.add(final, data)
                return candidate
        except OSError as err:
            raise os_error(err, self.root) from err
        raise SourceFileChanged(f"{relative} and all its other names are taken", path=relative)

    def flush(self, relative: Iterable[str]) -> None:
        """Make the names of these files last a power cut, each folder once. Blocking."""
        try:
            for folder in {self.path_of(path).parent for path in relative}:
                _flush_folder(folder)
        except OSError as err:
            raise os_error(err, self.root) from err

    def read_back(self, relative: str, *, apple: bool = False) -> Digest:
        """Read an archived file from the disk, not from the cache, and hash it. Blocking.

        Raises FileNotFoundError and other OSErrors.
        """
        path = self.path_of(relative)
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return hash_file(path, apple=apple)


def _is_record_of(path: Path, key: str) -> bool:
    """True for a record of ours, and for one that a power cut left empty."""
    data = path.read_bytes()
    try:
        found = json.loads(data)
    except ValueError:
        return not data.strip(b"\0")
    return isinstance(found, dict) and found.get("key") == key and "format" in found


def _move_new_into(part: Path, final: Path) -> bool:
    """``move_new`` into a folder that may not be there yet."""
    try:
        return move_new(part, final)
    except FileNotFoundError:
        final.parent.mkdir(parents=True, exist_ok=True)
        return move_new(part, final)


def move_new(part: Path, final: Path) -> bool:
    """Move ``part`` to ``final`` unless something is there; False when something is."""
    try:
        os.link(part, final)
    except FileExistsError:
        return False
    except OSError as err:
        # exFAT, some SMB and FUSE mounts have no hard links; we are the only writer here
        if err.errno not in NO_HARD_LINKS:
            raise
        if final.exists():
            return False
        part.rename(final)
        return True
    part.unlink()
    return True


def _flush_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError as err:
        if err.errno not in {errno.EINVAL, errno.ENOTSUP}:  # some network file systems
            raise
    finally:
        os.close(fd)


def os_error(err: OSError, path: Path) -> TargetUnavailableError | TransientError:
    """The named error behind an OSError on the archive."""
    if err.errno in {errno.ENOSPC, errno.EDQUOT}:
        return TargetFull(str(err), path=str(path), free="0")
    if err.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
        return TargetReadOnly(str(err), path=str(path))
    if err.errno in {errno.ENOENT, errno.ENOTDIR}:
        return MarkerMissing(str(err), path=str(path))
    return TransientError(str(err), path=str(path))
