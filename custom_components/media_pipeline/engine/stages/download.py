"""One file on its way into the archive: fetch or resume, check everything, publish."""

import asyncio
import contextlib
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..archive import Archive, os_error
from ..checksums import Digest
from ..control import Control
from ..errors import (
    ChecksumMismatch,
    CorruptError,
    ErrorBody,
    FileVanished,
    LengthMismatch,
    SourceBadAnswer,
    SourceUnreachable,
    TargetFull,
    UrlExpired,
)
from ..media.container import check_container, is_error_text
from ..model import Role
from ..names import split_name
from ..sources.base import Source
from .addresses import Addresses
from .places import place_of
from .twins import Twins

_PIECE = 1 << 20
_TRIES = 4
_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class Archived:
    """A file that was published in the archive."""

    path: str
    sha256: str
    size: int
    container: str
    adopted: bool = False
    """True when the very file, or one with its bytes, already lay there and nothing was fetched."""


class AssetGone(FileVanished):
    """The asset was deleted at the source before it could be fetched."""

    key = "asset_gone"


class _Part:
    """The growing file and its checksums. Blocking; used by one thread at a time."""

    def __init__(self, path: Path, *, apple: bool) -> None:
        self.path = path
        self.digest = Digest(apple=apple)
        self._apple = apple
        self._file = path.open("ab", buffering=0)

    @classmethod
    def resume(cls, path: Path, limit: int, *, apple: bool) -> _Part:
        """Open a part file; what it holds already is read again and counted."""
        part = cls(path, apple=apple)
        # without a checksum nobody could tell that an old beginning and a new end don't fit
        if path.stat().st_size > limit or not apple:
            part.restart()
        else:
            with path.open("rb", buffering=0) as file:
                while data := file.read(_PIECE):
                    part.digest.update(data)
        return part

    def restart(self) -> None:
        """Forget what was fetched."""
        self._file.truncate(0)
        self.digest = Digest(apple=self._apple)

    def write(self, pieces: list[bytes]) -> None:
        for piece in pieces:
            view = memoryview(piece)
            while view:
                view = view[self._file.write(view) :]
            self.digest.update(piece)

    def flush(self) -> None:
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


class Downloader:
    """Fetches files of one source into one archive."""

    def __init__(
        self,
        source: Source,
        archive: Archive,
        addresses: Addresses,
        control: Control,
        on_bytes: Callable[[int], None],
        twins: Twins,
    ) -> None:
        """``on_bytes`` gets the size of each piece that arrived."""
        self._source = source
        self._archive = archive
        self._addresses = addresses
        self._control = control
        self._on_bytes = on_bytes
        self._twins = twins

    async def fetch(self, row: Any) -> Archived:
        """Archive one resource (a row of the queue).

        Raises AssetGone, CorruptError kinds (the part file is removed, except after a short body,
        which is continued), TargetUnavailableError kinds for the archive and the source's errors.
        """
        version = hashlib.sha256(row.version.encode()).hexdigest()[:12]
        part = self._archive.part_of(f"{row.id}-{version}.part")
        try:
            adopted = await asyncio.to_thread(self._prepare, row)
            if adopted is not None:
                return adopted
            async with self._twins.turn(row):
                twin = await self._twins.publish(row)
                if twin is not None:
                    await asyncio.to_thread(part.unlink, missing_ok=True)
                    return Archived(twin.path, twin.sha256, row.size, twin.container, adopted=True)
                sha256 = await self._fetch_bytes(row, part)
                done = await asyncio.to_thread(self._finish, row, part, sha256)
                self._twins.remember(row, done.path, sha256)
                return done
        except FileVanished:
            await asyncio.to_thread(part.unlink, missing_ok=True)
            raise
        except CorruptError as err:
            # a body that was cut short is continued next time, unless it failed that way before
            if not isinstance(err, LengthMismatch) or row.attempts > 0:
                await asyncio.to_thread(part.unlink, missing_ok=True)
            raise
        except OSError as err:
            named = os_error(err, self._archive.root)
            if isinstance(named, TargetFull):
                await asyncio.to_thread(part.unlink, missing_ok=True)
            raise named from err

    def _prepare(self, row: Any) -> Archived | None:
        self._archive.check()
        self._archive.need(row.size)
        relative = place_of(row)
        path = self._archive.path_of(relative)
        if not row.checksum_known or not path.is_file() or path.stat().st_size != row.size:
            return None
        digest = self._archive.read_back(relative, apple=True)
        if digest.apple != row.checksum:
            return None
        container = check_container(path, split_name(row.filename)[1])
        return Archived(relative, digest.sha256, digest.size, container, adopted=True)

    async def _fetch_bytes(self, row: Any, path: Path) -> str:
        part = await asyncio.to_thread(_Part.resume, path, row.size, apple=bool(row.checksum_known))
        try:
            url = row.url if self._addresses.is_fresh(row.url, row.url_expires) else None
            refused: str | None = None
            for attempt in range(1, _TRIES + 1):
                if url is None:
                    url = await self._addresses.refresh(row.asset_key, Role(row.role), refused)
                if url is None:
                    raise AssetGone("deleted at the source")
                try:
                    if part.digest.size < row.size or row.size == 0:
                        await self._stream(url, row, part)
                    break
                except UrlExpired, FileVanished:
                    # also when it is not there: the record says what is
                    url, refused = None, url
                    if attempt == _TRIES:
                        raise
                except (SourceUnreachable, SourceBadAnswer) as err:
                    if attempt == _TRIES:
                        raise
                    if isinstance(err, SourceBadAnswer):  # another range than asked for
                        await asyncio.to_thread(part.restart)
                    await asyncio.sleep(_PAUSE * attempt)
            await asyncio.to_thread(part.flush)
        finally:
            await asyncio.shield(asyncio.to_thread(part.close))
        if (wrong := _compare(part.digest, row)) is not None:
            if await asyncio.to_thread(is_error_text, path):
                raise ErrorBody(f"an error text: {wrong.detail}") from wrong
            raise wrong
        return part.digest.sha256

    async def _stream(self, url: str, row: Any, part: _Part) -> None:
        async with self._source.fetch(url, part.digest.size) as download:
            if download.offset and download.total not in {None, row.size}:
                raise SourceBadAnswer(f"a range of {download.total} bytes, not of {row.size}")
            if download.offset != part.digest.size:
                await asyncio.to_thread(part.restart)
            held: list[bytes] = []
            size = 0
            try:
                async for piece in download.pieces:
                    held.append(piece)
                    size += len(piece)
                    self._on_bytes(len(piece))
                    if part.digest.size + size > row.size:
                        break  # which is found out by comparing
                    if size >= _PIECE:
                        await asyncio.to_thread(part.write, held)
                        held, size = [], 0
                        await self._control.checkpoint()
            except SourceUnreachable:
                await asyncio.to_thread(part.write, held)  # so that the next try goes on from here
                raise
            if held:
                await asyncio.to_thread(part.write, held)

    def _finish(self, row: Any, part: Path, sha256: str) -> Archived:
        container = check_container(part, split_name(row.filename)[1])
        if row.captured is not None:
            # a negative or huge time is a fact about the photo that some file systems refuse
            with contextlib.suppress(OSError, OverflowError):
                os.utime(part, (row.captured / 1000, row.captured / 1000))
        path = self._archive.publish(part, place_of(row), sha256)
        return Archived(path, sha256, row.size, container)


def _compare(digest: Digest, row: Any) -> CorruptError | None:
    """What is wrong with the bytes that arrived; None when they are the announced ones."""
    if digest.size != row.size:
        return LengthMismatch(
            f"{digest.size} bytes instead of {row.size}",
            expected=str(row.size),
            actual=str(digest.size),
        )
    if row.checksum_known and digest.apple != row.checksum:
        return ChecksumMismatch("Apple's checksum differs")
    return None
