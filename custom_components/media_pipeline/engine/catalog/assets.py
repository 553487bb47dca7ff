"""Storing what a source says: one page of assets with its cursor in one transaction."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from itertools import batched
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from ..clock import now_ms
from ..model import AssetRecord, ChangePage, SourceState
from ..names import collision_key, dated_folder, portable_name, split_name
from .albums import store_albums
from .details import columns_of
from .resources import store_resources
from .schema import assets
from .store import add_rejects, set_values

CURSOR = "cursor/"
_NAMES: Final = 500
"""Texts in one question; SQLite's own limit is far higher."""


def store_page(connection: Connection, page: ChangePage, walk_id: str) -> int:
    """Store one page of a walk and its cursor; returns how many assets were new.

    ``walk_id`` marks what a full walk saw.
    """
    new = store_assets(connection, page.assets, walk_id)
    for key in page.gone:
        _set_state(connection, key, SourceState.GONE)
    store_albums(connection, page.albums, page.gone)
    add_rejects(connection, page.malformed)
    set_values(connection, CURSOR, page.cursor)
    return new


def store_assets(
    connection: Connection, records: Sequence[AssetRecord], walk_id: str | None = None
) -> int:
    """Insert or update assets and their resources; returns how many were new.

    The number of statements does not grow with the number of records: a library has 100,000.
    """
    # the last word on an asset counts, should a page name it twice
    wanted = {record.key: record for record in records}
    if not wanted:
        return 0
    known = _rows_of(connection, wanted)
    new = [record for record in wanted.values() if record.key not in known]
    _insert_assets(connection, new, walk_id)
    _update_assets(connection, known, wanted, walk_id)
    ids = {key: row.id for key, row in known.items()}
    ids |= {key: row.id for key, row in _rows_of(connection, [item.key for item in new]).items()}
    store_resources(connection, [(ids[key], record) for key, record in wanted.items()])
    return len(new)


def _rows_of(connection: Connection, keys: Collection[str]) -> dict[str, Row[Any]]:
    columns = (assets.c.id, assets.c.key, assets.c.raw)
    return {
        row.key: row
        for part in batched(keys, _NAMES, strict=False)
        for row in connection.execute(select(*columns).where(assets.c.key.in_(part)))
    }


def _raw_text(record: AssetRecord) -> str:
    return json.dumps(record.raw, sort_keys=True, separators=(",", ":"), default=str)


def _columns(record: AssetRecord) -> dict[str, Any]:
    return {
        "master_key": record.master_key,
        "library": record.library,
        "kind": record.kind,
        "filename": record.filename,
        "captured": record.captured,
        "added": record.added,
        "modified": record.modified,
        "asset_tag": record.asset_tag,
        "master_tag": record.master_tag,
        "favorite": record.favorite,
        "hidden": record.hidden,
        "state": SourceState.TRASHED if record.trashed else SourceState.PRESENT,
        "incomplete": record.incomplete,
        "raw": _raw_text(record),
        **columns_of(record.details),
    }


def _insert_assets(
    connection: Connection, records: Sequence[AssetRecord], walk_id: str | None
) -> None:
    if not records:
        return
    taken = _places_taken(connection, records)
    now = now_ms()
    rows = []
    for record in records:
        folder, stem = _place_of(record)
        if (folder, collision_key(stem)) in taken:
            # named after the identity, so that the same library always gets the same names
            stem = f"{stem}~{hashlib.sha256(record.key.encode()).hexdigest()[:10]}"
        taken.add((folder, collision_key(stem)))
        rows.append(
            {
                "key": record.key,
                "folder": folder,
                "stem": stem,
                "stem_key": collision_key(stem),
                "seen_walk": walk_id,
                "created": now,
                **_columns(record),
            }
        )
    connection.execute(insert(assets), rows)


def _place_of(record: AssetRecord) -> tuple[str, str]:
    stem, _ = split_name(portable_name(record.filename))
    return dated_folder(record.captured), stem


def _places_taken(connection: Connection, records: Sequence[AssetRecord]) -> set[tuple[str, str]]:
    """Which of the places (folder, collision key of the stem) that these want have an owner."""
    by_folder: dict[str, set[str]] = {}
    for folder, stem in map(_place_of, records):
        by_folder.setdefault(folder, set()).add(collision_key(stem))
    return {
        (folder, row.stem_key)
        for folder, stems in by_folder.items()
        for part in batched(stems, _NAMES, strict=False)
        for row in connection.execute(
            select(assets.c.stem_key).where(assets.c.folder == folder, assets.c.stem_key.in_(part))
        )
    }


def _update_assets(
    connection: Connection,
    known: Mapping[str, Row[Any]],
    records: Mapping[str, AssetRecord],
    walk_id: str | None,
) -> None:
    # rows of one statement must have the same columns
    by_columns: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for key, row in known.items():
        record = records[key]
        columns = _columns(record)
        if columns["raw"] != row.raw:
            columns["record_saved"] = False
        if not record.trashed:
            columns["purge_at"] = None
        if walk_id is not None:
            columns["seen_walk"] = walk_id
        by_columns.setdefault(tuple(columns), []).append({**columns, "_id": row.id})
    for names, rows in by_columns.items():
        connection.execute(
            update(assets)
            .where(assets.c.id == bindparam("_id"))
            .values({name: bindparam(name) for name in names}),
            rows,
        )


def _set_state(connection: Connection, key: str, state: SourceState) -> None:
    connection.execute(update(assets).where(assets.c.key == key).values(state=state))


def mark_gone(connection: Connection, keys: Sequence[str]) -> None:
    """Assets that the source no longer has."""
    for key in keys:
        _set_state(connection, key, SourceState.GONE)


def keys_of_masters(connection: Connection, master_keys: Sequence[str]) -> list[str]:
    """Keys of the known assets that belong to these masters."""
    return list(
        connection.execute(
            select(assets.c.key).where(assets.c.master_key.in_(master_keys))
        ).scalars()
    )


def keys_not_seen(connection: Connection, walk_id: str) -> list[str]:
    """Keys of present assets that the full walk ``walk_id`` did not list."""
    return list(
        connection.execute(
            select(assets.c.key).where(
                assets.c.state == SourceState.PRESENT,
                (assets.c.seen_walk != walk_id) | assets.c.seen_walk.is_(None),
            )
        ).scalars()
    )
