"""What the integration's catalog says, read by plain SQL and read-only."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ORIGINAL: Final = (
    "role IN ('original', 'alternative', 'live_video', 'edited', 'edited_video', 'sidecar')"
)


@dataclass(frozen=True, slots=True)
class File:
    """A file that the catalog knows."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Smaller:
    """A smaller version and what it was made of."""

    file: File
    original: File


@dataclass(frozen=True, slots=True)
class CatalogView:
    """The catalog at one moment."""

    assets: int
    archived_assets: int
    originals: tuple[File, ...]
    records: tuple[File, ...]
    sidecars: tuple[File, ...]
    """XMP, for photo programs."""
    smaller: tuple[Smaller, ...]
    copies: dict[str, tuple[File, ...]]
    """Target id → its proven copies."""
    unproven: dict[str, int]
    """Target id → copies that are not proven, whatever the reason."""
    quarantined: int
    freed: frozenset[str]
    """Record names of the assets that a plan freed."""


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as connection:
        yield connection


def bytes_handled(path: Path) -> int:
    """Bytes archived and delivered so far."""
    with _opened(path) as connection:
        row = connection.execute(
            "SELECT (SELECT coalesce(sum(size), 0) FROM resources WHERE state = 'archived')"
            " + (SELECT coalesce(sum(size), 0) FROM copies WHERE state IN ('sent', 'verified'))"
        ).fetchone()
    return int(row[0])


def archived_files(path: Path) -> int:
    """Original files archived so far."""
    with _opened(path) as connection:
        row = connection.execute(
            f"SELECT count(*) FROM resources WHERE current AND state = 'archived' AND {_ORIGINAL}"
        ).fetchone()
    return int(row[0])


def read_catalog(path: Path) -> CatalogView:
    """Everything the table needs."""
    with _opened(path) as connection:
        archived = "FROM resources WHERE current AND state = 'archived' AND"

        def number(sql: str) -> int:
            return int(connection.execute(sql).fetchone()[0])

        def files(condition: str) -> tuple[File, ...]:
            rows = connection.execute(f"SELECT path, size, sha256 {archived} {condition}")
            return tuple(File(*row) for row in rows)

        smaller = connection.execute(
            "SELECT new.path, new.size, new.sha256, old.path, old.size, old.sha256"
            " FROM resources new JOIN resources old ON old.id = new.derived_from"
            " WHERE new.current AND new.state = 'archived' AND new.role = 'compressed'"
        ).fetchall()
        copies: dict[str, list[File]] = {}
        for target_id, *file in connection.execute(
            "SELECT target_id, path, size, sha256 FROM copies WHERE state = 'verified'"
        ):
            copies.setdefault(target_id, []).append(File(*file))
        freed = connection.execute(
            "SELECT key FROM assets JOIN plan_items ON asset_id = assets.id"
            " WHERE plan_items.state = 'freed'"
        ).fetchall()
        return CatalogView(
            assets=number("SELECT count(*) FROM assets WHERE state <> 'gone'"),
            archived_assets=number(
                "SELECT count(*) FROM (SELECT asset_id FROM resources"
                f" WHERE current AND {_ORIGINAL}"
                " GROUP BY asset_id HAVING min(state = 'archived') = 1)"
            ),
            originals=files(_ORIGINAL),
            records=files("role = 'record'"),
            sidecars=files("role = 'xmp'"),
            smaller=tuple(Smaller(File(*row[:3]), File(*row[3:])) for row in smaller),
            copies={target_id: tuple(found) for target_id, found in copies.items()},
            unproven=dict(
                connection.execute(
                    "SELECT target_id, count(*) FROM copies WHERE state <> 'verified'"
                    " GROUP BY target_id"
                ).fetchall()
            ),
            quarantined=number("SELECT count(*) FROM resources WHERE state = 'quarantined'"),
            freed=frozenset(row[0].rpartition("/")[2] for row in freed),
        )
