"""The files of assets as the source names them now: new ones, new versions, fresh addresses."""

from collections.abc import Sequence
from itertools import batched
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from ..checksums import is_known_apple_scheme
from ..model import (
    DERIVED_ROLES,
    WRITTEN_ROLES,
    AssetRecord,
    ResourceRecord,
    ResourceState,
)
from .schema import resources

_IDS: Final = 500
_NOT_THE_SOURCES: Final = (*DERIVED_ROLES, *WRITTEN_ROLES)
_FRESH: Final = (
    update(resources)
    .where(resources.c.id == bindparam("_id"))
    .values(url=bindparam("url"), url_expires=bindparam("url_expires"), size=bindparam("size"))
)


def store_resources(connection: Connection, records: Sequence[tuple[int, AssetRecord]]) -> None:
    """Bring the resources of these assets (id, record) up to date."""
    current = _current(connection, [asset_id for asset_id, _ in records])
    new: list[dict[str, Any]] = []
    fresh: list[dict[str, Any]] = []
    old: list[int] = []
    for asset_id, record in records:
        rows = current.get(asset_id, {})
        for item in record.resources:
            row = rows.pop(item.role, None)
            version = item.checksum or f"{item.size}:{record.asset_tag}"
            if row is not None and row.version == version:
                fresh.append(
                    {
                        "_id": row.id,
                        "url": item.url,
                        "url_expires": item.url_expires,
                        "size": item.size,
                    }
                )
                continue
            if row is not None:
                old.append(row.id)
            new.append(_columns(asset_id, item, version))
        old += [row.id for row in rows.values()]  # e.g. an edit that was reverted
    _supersede(connection, old)  # first: an asset has one current file of a role
    if fresh:
        connection.execute(_FRESH, fresh)
    if new:
        connection.execute(insert(resources), new)


def _current(connection: Connection, asset_ids: Sequence[int]) -> dict[int, dict[str, Row[Any]]]:
    found: dict[int, dict[str, Row[Any]]] = {}
    columns = (resources.c.id, resources.c.asset_id, resources.c.role, resources.c.version)
    for part in batched(asset_ids, _IDS, strict=False):
        for row in connection.execute(
            select(*columns).where(
                resources.c.asset_id.in_(part),
                resources.c.current,
                resources.c.role.not_in(_NOT_THE_SOURCES),
            )
        ):
            found.setdefault(row.asset_id, {})[row.role] = row
    return found


def _columns(asset_id: int, item: ResourceRecord, version: str) -> dict[str, Any]:
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


def _supersede(connection: Connection, resource_ids: Sequence[int]) -> None:
    """Keep older versions' files and copies, but stop counting and sending them."""
    for part in batched(resource_ids, _IDS, strict=False):
        connection.execute(
            update(resources)
            .where(resources.c.id.in_(part) | resources.c.derived_from.in_(part))
            .values(current=False)
        )
