"""What adopt asks the catalog: which bytes are wanted, which it has, and what was read before."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, select
from sqlalchemy.dialects.sqlite import insert

from ..model import ORIGINAL_ROLES, ResourceState, SourceState
from .schema import assets, found_files, resources

# SQLite takes some 32,000 values in one statement; one file of found_files is five.
_BATCH: Final = 2000


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file of the source that the archive lacks."""

    id: int
    size: int
    filename: str
    checksum: str | None
    """Apple's, when it is of a kind that can be recomputed; None: nothing can prove a match."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was read of a file, and what it looked like then."""

    path: str
    size: int
    mtime_ns: int
    checksum: str
    """Apple's, computed from the bytes."""
    sha256: str


def wanted_files(connection: Connection) -> list[Wanted]:
    """All files of present assets that are not archived."""
    rows = connection.execute(
        select(
            resources.c.id,
            resources.c.size,
            resources.c.filename,
            resources.c.checksum,
            resources.c.checksum_known,
        )
        .join(assets, assets.c.id == resources.c.asset_id)
        .where(
            resources.c.current,
            resources.c.role.in_(ORIGINAL_ROLES),
            resources.c.state.in_([ResourceState.PENDING, ResourceState.QUARANTINED]),
            assets.c.state == SourceState.PRESENT,
        )
        .order_by(resources.c.id)
    )
    return [
        Wanted(row.id, row.size, row.filename, row.checksum if row.checksum_known else None)
        for row in rows
    ]


def archived_bytes(connection: Connection) -> set[tuple[int, str]]:
    """(size, SHA-256) of every file that the archive has from the source."""
    rows = connection.execute(
        select(resources.c.size, resources.c.sha256).where(
            resources.c.state == ResourceState.ARCHIVED,
            resources.c.role.in_(ORIGINAL_ROLES),
            resources.c.sha256.is_not(None),
        )
    )
    return {(row.size, row.sha256) for row in rows}


def archived_paths(connection: Connection) -> set[str]:
    """Relative paths of everything of ours in the archive, smaller versions and records as well."""
    return set(
        connection.execute(
            select(resources.c.path).where(resources.c.path.is_not(None)).distinct()
        ).scalars()
    )


def waiting_resources(connection: Connection, ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Those of these files that are still not archived, with their asset's place, by id."""
    rows = connection.execute(
        select(resources, assets.c.folder, assets.c.stem, assets.c.captured)
        .join(assets, assets.c.id == resources.c.asset_id)
        .where(
            resources.c.id.in_(ids),
            resources.c.current,
            resources.c.state.in_([ResourceState.PENDING, ResourceState.QUARANTINED]),
        )
    )
    return {row.id: row for row in rows}


def read_before(connection: Connection, paths: Sequence[str]) -> dict[str, Found]:
    """What is remembered of these paths; the caller compares size and time."""
    found: dict[str, Found] = {}
    for start in range(0, len(paths), _BATCH):
        rows = connection.execute(
            select(found_files).where(found_files.c.path.in_(paths[start : start + _BATCH]))
        )
        found |= {
            row.path: Found(row.path, row.size, row.mtime_ns, row.checksum, row.sha256)
            for row in rows
        }
    return found


def remember(connection: Connection, files: Iterable[Found]) -> None:
    """Keep what was read, so that it need not be read again."""
    rows = [
        {
            "path": file.path,
            "size": file.size,
            "mtime_ns": file.mtime_ns,
            "checksum": file.checksum,
            "sha256": file.sha256,
        }
        for file in files
    ]
    if not rows:
        return
    statement = insert(found_files)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["path"],
            set_={
                name: statement.excluded[name]
                for name in ("size", "mtime_ns", "checksum", "sha256")
            },
        ),
        rows,
    )


def forget(connection: Connection, path: str) -> None:
    """A file turned out to be another than remembered."""
    connection.execute(delete(found_files).where(found_files.c.path == path))
