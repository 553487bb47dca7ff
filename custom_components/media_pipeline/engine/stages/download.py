"""One file on its way into the archive: fetch or resume, check everything, publish."""

import asyncio
import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..archive import Archive, os_error
from ..errors import (
    CorruptError,
    FileVanished,
    LengthMismatch,
    SourceBadAnswer,
    SourceUnreachable,
    TargetFull,
    UrlExpired,
)
from ..fetching.order import Order, Proof
from ..fetching.traffic import Traffic
from ..media.container import check_container
from ..model import Role
from ..names import split_name
from ..sources.base import Source
from .addresses import Addresses
from .old_parts import part_name
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
        twins: Twins,
        traffic: Traffic,
    ) -> None:
        """One object per run."""
        self._source = source
        self._archive = archive
        self._addresses = addresses
        self._twins = twins
        self._traffic = traffic

    async def fetch(self, row: Any) -> Archived:
        """Archive one resource (a row of the queue). Its name lasts after ``Archive.flush``.

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
        if (there := await asyncio.to_thread(self._begin, row, path)) is not None:
            return there
        proof = await self._bring(row, path)
        return await asyncio.to_thread(self._publish, row, path, proof)

    def _begin(self, row: Any, path: Path) -> Archived | None:
        self._archive.check()
        relative = place_of(row)
        final = self._archive.path_of(relative)
        if row.checksum_known and final.is_file() and final.stat().st_size == row.size:
            digest = self._archive.read_back(relative, apple=True)
            if digest.apple == row.checksum:
                container = check_container(final, split_name(row.filename)[1])
                return Archived(relative, digest.sha256, digest.size, container, adopted=True)
        self._archive.need(row.size)
        if not row.checksum_known:
            # nobody could tell that an old beginning and a new end don't fit
            path.unlink(missing_ok=True)
        return None

    async def _bring(self, row: Any, path: Path) -> Proof:
        """Fetch what the part file lacks, with another address or again where that helps."""
        url = row.url if self._addresses.is_fresh(row.url, row.url_expires) else None
        refused: str | None = None
        attempt = 0
        while True:
            attempt += 1
            if url is None:
                url = await self._addresses.refresh(row.asset_key, Role(row.role), refused)
            if url is None:
                raise AssetGone("deleted at the source")
            try:
                return await self._source.save(self._order(row, path, url), self._traffic)
            except UrlExpired, FileVanished:
                # also when it is not there: the record says what is
                url, refused = None, url
                if attempt == _TRIES:
                    raise
            except (SourceUnreachable, SourceBadAnswer) as err:
                if attempt == _TRIES:
                    raise
                if isinstance(err, SourceBadAnswer):  # another range than asked for
                    await asyncio.to_thread(path.unlink, missing_ok=True)
                await asyncio.sleep(_PAUSE * attempt)

    def _order(self, row: Any, path: Path, url: str) -> Order:
        return Order(
            url=url,
            part=str(path),
            size=row.size,
            apple=row.checksum if row.checksum_known else None,
            suffix=split_name(row.filename)[1],
            read_soon=self._traffic.read_soon,
        )

    def _publish(self, row: Any, path: Path, proof: Proof) -> Archived:
        if row.captured is not None:
            # a negative or huge time is a fact about the photo that some file systems refuse
            with contextlib.suppress(OSError, OverflowError):
                os.utime(path, (row.captured / 1000, row.captured / 1000))
        place = self._archive.publish(path, place_of(row), proof.sha256, flush=False)
        return Archived(place, proof.sha256, row.size, proof.container)
