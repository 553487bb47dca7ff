"""Storing what a source says: one page of assets with its cursor in one transaction."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from ..checksums import is_known_apple_scheme
from ..clock import now_ms
from ..model import (
    WRITTEN_ROLES,
    AssetRecord,
    ChangePage,
    ResourceRecord,
    ResourceState,
    Role,
    SourceState,
)
from ..names import collision_key, dated_folder, portable_name, split_name
from .albums import store_albums
from .details import columns_of
from .schema import assets, resources
from .store import add_rejects, set_values

CURSOR = "cursor/"
_WALK = "walk_id"


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
    """Insert or update assets and their resources; returns how many were new."""
    if not records:
        return 0
    known = {
        row.key: row
        for row in connection.execute(
            select(assets).where(assets.c.key.in_([record.key for record in records]))
        )
    }
    new = 0
    for record in records:
        row = known.get(record.key)
        if row is None:
            asset_id = _insert_asset(connection, record, walk_id)
            new += 1
        else:
            asset_id = row.id
            _update_asset(connection, row, record, walk_id)
        _store_resources(connection, asset_id, record)
    return new


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


def _insert_asset(connection: Connection, record: AssetRecord, walk_id: str | None) -> int:
    folder = dated_folder(record.captured)
    stem, _ = split_name(portable_name(record.filename))
    taken = connection.execute(
        select(assets.c.id).where(
            assets.c.folder == folder, assets.c.stem_key == collision_key(stem)
        )
    ).first()
    if taken is not None:
        # named after the identity, so that the same library always gets the same names
        stem = f"{stem}~{hashlib.sha256(record.key.encode()).hexdigest()[:10]}"
    result = connection.execute(
        insert(assets).values(
            key=record.key,
            folder=folder,
            stem=stem,
            stem_key=collision_key(stem),
            seen_walk=walk_id,
            created=now_ms(),
            **_columns(record),
        )
    )
    key = result.inserted_primary_key
    assert key is not None  # noqa: S101 - SQLAlchemy returns it for single inserts
    return int(key[0])


def _update_asset(
    connection: Connection, row: Row[Any], record: AssetRecord, walk_id: str | None
) -> None:
    columns = _columns(record)
    if columns["raw"] != row.raw:
        columns["record_saved"] = False
    if not record.trashed:
        columns["purge_at"] = None
    if walk_id is not None:
        columns["seen_walk"] = walk_id
    connection.execute(update(assets).where(assets.c.id == row.id).values(columns))


def _store_resources(connection: Connection, asset_id: int, record: AssetRecord) -> None:
    current = {
        row.role: row
        for row in connection.execute(
            select(resources).where(
                resources.c.asset_id == asset_id,
                resources.c.current,
                resources.c.role.not_in([Role.COMPRESSED, *WRITTEN_ROLES]),
            )
        )
    }
    for item in record.resources:
        row = current.pop(item.role, None)
        version = item.checksum or f"{item.size}:{record.asset_tag}"
        if row is not None and row.version == version:
            connection.execute(
                update(resources)
                .where(resources.c.id == row.id)
                .values(url=item.url, url_expires=item.url_expires, size=item.size)
            )
            continue
        if row is not None:
            _supersede(connection, row.id)
        connection.execute(insert(resources).values(**_resource_columns(asset_id, item, version)))
    for row in current.values():  # e.g. an edit that was reverted
        _supersede(connection, row.id)


def _resource_columns(asset_id: int, item: ResourceRecord, version: str) -> dict[str, Any]:
    return {
        "asset_id": asset_id,
        "role": item.role,
        "filename": item.filename,
        "size": item.size,
        "checksum": item.checksum,
        "checksum_known": is_known_apple_scheme(item.checksum),
        "version": version,
        "url": item.url,
        "url_expires": item.url_expires,
        "state": ResourceState.PENDING,
    }


def _supersede(connection: Connection, resource_id: int) -> None:
    """Keep an older version's files and copies, but stop counting and sending it."""
    connection.execute(
        update(resources)
        .where((resources.c.id == resource_id) | (resources.c.derived_from == resource_id))
        .values(current=False)
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
