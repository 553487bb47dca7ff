"""One file on its way into the archive: fetch or resume, check everything, publish."""

import asyncio
import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..archive import Archive, os_error
from ..bandwidth import Bandwidth
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
from .old_parts import part_name
from .part import PIECE, Part
from .places import place_of
from .twins import Twins

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
        bandwidth: Bandwidth,
    ) -> None:
        """``on_bytes`` gets the size of each piece that arrived."""
        self._source = source
        self._archive = archive
        self._addresses = addresses
        self._control = control
        self._on_bytes = on_bytes
        self._twins = twins
        self._bandwidth = bandwidth

    async def fetch(self, row: Any) -> Archived:
        """Archive one resource (a row of the queue).

        Raises AssetGone, CorruptError kinds (the part file is removed, except after a short body,
        which is continued), TargetUnavailableError kinds for the archive and the source's errors.
        """
        path = self._archive.part_of(part_name(row.id, row.version))
        try:
            async with self._twins.turn(row):
                done = await self._twin(row, path) or await self._fetch(row, path)
            self._twins.remember(row, done.path, done.sha256)
        except FileVanished:
            await asyncio.to_thread(path.unlink, missing_ok=True)
            raise
        except CorruptError as err:
            # a body that was cut short is continued next time, unless it failed that way before
            if not isinstance(err, LengthMismatch) or row.attempts > 0:
                await asyncio.to_thread(path.unlink, missing_ok=True)
            raise
        except OSError as err:
            named = os_error(err, self._archive.root)
            if isinstance(named, TargetFull):
                await asyncio.to_thread(path.unlink, missing_ok=True)
            raise named from err
        return done

    async def _twin(self, row: Any, path: Path) -> Archived | None:
        twin = await self._twins.publish(row)
        if twin is None:
            return None
        await asyncio.to_thread(path.unlink, missing_ok=True)
        return Archived(twin.path, twin.sha256, row.size, twin.container, adopted=True)

    async def _fetch(self, row: Any, path: Path) -> Archived:
        """Few changes of threads: for a photo they cost as much as its bytes."""
        part = await asyncio.to_thread(self._begin, row, path)
        if isinstance(part, Archived):
            return part
        try:
            last = await self._fetch_bytes(row, part)
            return await asyncio.to_thread(self._complete, row, part, last)
        finally:
            if not part.closed:
                await asyncio.shield(asyncio.to_thread(part.close))

    def _begin(self, row: Any, path: Path) -> Archived | Part:
        self._archive.check()
        relative = place_of(row)
        final = self._archive.path_of(relative)
        if row.checksum_known and final.is_file() and final.stat().st_size == row.size:
            digest = self._archive.read_back(relative, apple=True)
            if digest.apple == row.checksum:
                container = check_container(final, split_name(row.filename)[1])
                return Archived(relative, digest.sha256, digest.size, container, adopted=True)
        self._archive.need(row.size)
        return Part.resume(path, row.size, apple=bool(row.checksum_known))

    async def _fetch_bytes(self, row: Any, part: Part) -> list[bytes]:
        """Fetch what the part lacks; the last bytes are returned and not in the part yet."""
        last: list[bytes] = []
        url = row.url if self._addresses.is_fresh(row.url, row.url_expires) else None
        refused: str | None = None
        for attempt in range(1, _TRIES + 1):
            if url is None:
                url = await self._addresses.refresh(row.asset_key, Role(row.role), refused)
            if url is None:
                raise AssetGone("deleted at the source")
            try:
                if part.digest.size < row.size or row.size == 0:
                    last = await self._stream(url, row, part)
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
        return last

    async def _stream(self, url: str, row: Any, part: Part) -> list[bytes]:
        held: list[bytes] = []
        async with self._source.fetch(url, part.digest.size) as download:
            if download.offset and download.total not in {None, row.size}:
                raise SourceBadAnswer(f"a range of {download.total} bytes, not of {row.size}")
            if download.offset != part.digest.size:
                await asyncio.to_thread(part.restart)
            size = 0
            try:
                async for piece in download.pieces:
                    if size >= PIECE:
                        await asyncio.to_thread(part.write, held)
                        held, size = [], 0
                        await self._control.checkpoint()
                    held.append(piece)
                    size += len(piece)
                    self._on_bytes(len(piece))
                    if part.digest.size + size > row.size:
                        break  # which is found out by comparing
                    await self._bandwidth.take(len(piece))
            except SourceUnreachable:
                await asyncio.to_thread(part.write, held)  # so that the next try goes on from here
                raise
        return held

    def _complete(self, row: Any, part: Part, last: list[bytes]) -> Archived:
        digest = part.finish(last)
        if (wrong := _compare(digest, row)) is not None:
            if is_error_text(part.path):
                raise ErrorBody(f"an error text: {wrong.detail}") from wrong
            raise wrong
        container = check_container(part.path, split_name(row.filename)[1])
        if row.captured is not None:
            # a negative or huge time is a fact about the photo that some file systems refuse
            with contextlib.suppress(OSError, OverflowError):
                os.utime(part.path, (row.captured / 1000, row.captured / 1000))
        place = self._archive.publish(part.path, place_of(row), digest.sha256)
        return Archived(place, digest.sha256, row.size, container)


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
