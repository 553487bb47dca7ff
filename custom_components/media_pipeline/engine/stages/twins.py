"""The same bytes under another asset: moved between libraries, or a duplicate. Nothing is fetched.

A file that the archive has already is read again, proven, and given its second name by a hard link
(a copy where there are none). Both names share their fate on that disk, as they would share it
anyway: the archive counts as one place. Nothing ever writes into an archived file; a damaged one is
replaced under another name, so repairing one name never touches the other.
"""

import asyncio
import logging
import os
import shutil
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, select

from ..archive import NO_HARD_LINKS, Archive
from ..catalog.database import Catalog
from ..catalog.schema import resources
from ..checksums import hash_file
from ..errors import SourceFileChanged
from ..media.container import check_container
from ..model import ResourceState
from ..names import split_name
from .places import place_of

_LOGGER = logging.getLogger(__name__)
# So many finished files are known here before the catalog may know them.
_RECENT: Final = 1000
_CANDIDATES: Final = 5

type Bytes = tuple[str, int]
"""Apple's checksum and the length."""


@dataclass(frozen=True, slots=True)
class Twin:
    """A file of the archive that has the wanted bytes; where it lies, and their SHA-256."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Published:
    """The second name, and what the container is."""

    path: str
    sha256: str
    container: str


class Twins:
    """Finds and publishes them; one object per run."""

    def __init__(self, catalog: Catalog, archive: Archive) -> None:
        """Looks into the catalog and reads the archive; writes nothing into the catalog."""
        self._catalog, self._archive = catalog, archive
        self._locks: dict[Bytes, tuple[asyncio.Lock, int]] = {}
        self._recent: OrderedDict[Bytes, Twin] = OrderedDict()
        self._expected: set[int] = set()

    async def expect(self, rows: Sequence[Any]) -> None:
        """Ask for many waiting files (rows of the queue) at once which of them have a twin."""
        found = await self._catalog.read(_with_twins, [row.id for row in rows])
        self._expected = (self._expected - {row.id for row in rows}) | found

    @asynccontextmanager
    async def turn(self, row: Any) -> AsyncIterator[None]:
        """Files of the same bytes wait for each other, so that they are fetched once."""
        if not row.checksum_known:
            yield
            return
        wanted: Bytes = (row.checksum, row.size)
        lock, users = self._locks.get(wanted, (asyncio.Lock(), 0))
        self._locks[wanted] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks.pop(wanted)
            if users > 1:
                self._locks[wanted] = (lock, users - 1)

    def remember(self, row: Any, path: str, sha256: str) -> None:
        """A file was archived just now; the catalog hears of it a little later."""
        if row.checksum_known:
            self._recent[(row.checksum, row.size)] = Twin(path, sha256)
            if len(self._recent) > _RECENT:
                self._recent.popitem(last=False)

    async def publish(self, row: Any) -> Published | None:
        """Give a waiting file (a row of the queue) the bytes of a twin; None when there is none.

        Raises OSError and TargetUnavailableError kinds for the archive.
        """
        if not row.checksum_known:
            return None
        recent = self._recent.get((row.checksum, row.size))
        if recent is None and row.id not in self._expected:
            return None
        twins = [recent] if recent else []
        twins += await self._catalog.read(_twins_of, row.id, row.checksum, row.size)
        if not twins:
            return None
        return await asyncio.to_thread(self._publish, row, twins)

    def _publish(self, row: Any, twins: Sequence[Twin]) -> Published | None:
        for twin in twins:
            if not self._is_proven(row, twin):
                continue
            # not the download's own part file: that one is written to when a download goes on
            part = self._archive.part_of(f"{row.id}.twin")
            try:
                _same_bytes(self._archive.path_of(twin.path), part, twin.sha256)
                container = check_container(part, split_name(row.filename)[1])
                path = self._archive.publish(part, place_of(row), twin.sha256)
            finally:
                part.unlink(missing_ok=True)
            return Published(path, twin.sha256, container)
        return None

    def _is_proven(self, row: Any, twin: Twin) -> bool:
        """Whether the twin still has its bytes, read from the disk now."""
        try:
            digest = self._archive.read_back(twin.path, apple=True)
        except OSError as err:
            _LOGGER.info("a file with the same bytes can't be read: %s", err.strerror)
            return False
        return (digest.size, digest.apple, digest.sha256) == (row.size, row.checksum, twin.sha256)


def _same_bytes(source: Path, part: Path, sha256: str) -> None:
    part.unlink(missing_ok=True)
    try:
        os.link(source, part)
    except OSError as err:
        if err.errno not in NO_HARD_LINKS:
            raise
    else:
        return
    with source.open("rb") as old, part.open("wb") as new:
        shutil.copyfileobj(old, new, 1 << 20)
        new.flush()
        os.fsync(new.fileno())
    if hash_file(part).sha256 != sha256:
        raise SourceFileChanged("a copy within the archive differs from what was copied")


def _with_twins(connection: Connection, ids: Sequence[int]) -> set[int]:
    other = resources.alias()
    twin = select(other.c.id).where(
        other.c.checksum == resources.c.checksum,
        other.c.size == resources.c.size,
        other.c.checksum_known,
        other.c.state == ResourceState.ARCHIVED,
        other.c.id != resources.c.id,
    )
    return set(
        connection.execute(
            select(resources.c.id).where(
                resources.c.id.in_(ids), resources.c.checksum_known, twin.exists()
            )
        ).scalars()
    )


def _twins_of(connection: Connection, resource_id: int, checksum: str, size: int) -> list[Twin]:
    rows = connection.execute(
        select(resources.c.path, resources.c.sha256)
        .where(
            resources.c.checksum == checksum,
            resources.c.size == size,
            resources.c.checksum_known,
            resources.c.state == ResourceState.ARCHIVED,
            resources.c.path.is_not(None),
            resources.c.sha256.is_not(None),
            resources.c.id != resource_id,
        )
        .order_by(resources.c.proven_at.desc())
        .limit(_CANDIDATES)
    )
    return [Twin(row.path, row.sha256) for row in rows]
