"""What the catalog knows of each library, to be compared with what the source says."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, func, or_, select, update

from ..model import LibraryCensus, SourceState
from .schema import assets
from .store import get_values, set_values

_CENSUS = "census/"


def shown(connection: Connection, libraries: Collection[str]) -> dict[str, int]:
    """Assets that a library shows: none that are hidden, deleted, or unpicked parts of a burst."""
    rows = connection.execute(
        select(assets.c.library, func.count())
        .where(
            assets.c.library.in_(libraries),
            assets.c.state == SourceState.PRESENT,
            ~assets.c.hidden,
            or_(assets.c.subtype.is_(None), assets.c.subtype != "burst"),
        )
        .group_by(assets.c.library)
    )
    counts = {row[0]: int(row[1]) for row in rows}
    return {library: counts.get(library, 0) for library in libraries}


def unlike(connection: Connection, tags: Mapping[str, str]) -> list[str]:
    """Of these assets (key → change tag) those that the catalog lacks or knows otherwise."""
    known = {
        row.key: row
        for row in connection.execute(
            select(assets.c.key, assets.c.asset_tag, assets.c.state).where(assets.c.key.in_(tags))
        )
    }
    return [
        key
        for key, tag in tags.items()
        if (row := known.get(key)) is None or row.asset_tag != tag or row.state == SourceState.GONE
    ]


def mark_seen(connection: Connection, keys: Collection[str], walk_id: str) -> None:
    """A full look saw these."""
    connection.execute(update(assets).where(assets.c.key.in_(keys)).values(seen_walk=walk_id))


def last(connection: Connection) -> dict[str, LibraryCensus]:
    """The latest comparison of each library."""
    found: dict[str, LibraryCensus] = {}
    for library, text in get_values(connection, _CENSUS).items():
        values: dict[str, Any] = json.loads(text)
        found[library] = LibraryCensus(**values)
    return found


def keep(connection: Connection, censuses: Mapping[str, LibraryCensus]) -> None:
    """Store the latest comparison of these libraries."""
    texts = {
        library: json.dumps({name: getattr(census, name) for name in census.__slots__})
        for library, census in censuses.items()
    }
    set_values(connection, _CENSUS, texts)
