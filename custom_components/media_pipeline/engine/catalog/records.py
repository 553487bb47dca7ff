"""What goes into the files of ours beside an asset (record, sidecar), and that they are written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from ..clock import now_ms
from ..model import ORIGINAL_ROLES, WRITTEN_ROLES, CopyState, ResourceState, Role
from .albums import album_paths
from .schema import assets, copies, resources


@dataclass(frozen=True, slots=True)
class Known:
    """Everything that the catalog knows of one asset."""

    asset: Row[Any]
    originals: tuple[Row[Any], ...]
    """Its current original-class resources."""
    written: Mapping[Role, Row[Any]]
    """Our own files of it that were written before."""
    albums: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """One file of ours as it was written."""

    role: Role
    path: str
    sha256: str
    size: int


def known_of(connection: Connection, rows: Sequence[Row[Any]]) -> list[Known]:
    """What is known of these assets (rows of ``assets``), in their order."""
    originals: dict[int, list[Row[Any]]] = {}
    written: dict[int, dict[Role, Row[Any]]] = {}
    for row in connection.execute(
        select(resources).where(
            resources.c.asset_id.in_([asset.id for asset in rows]),
            resources.c.current,
            resources.c.role.in_([*ORIGINAL_ROLES, *WRITTEN_ROLES]),
        )
    ):
        if row.role in WRITTEN_ROLES:
            written.setdefault(row.asset_id, {})[Role(row.role)] = row
        else:
            originals.setdefault(row.asset_id, []).append(row)
    albums = album_paths(connection, [asset.key for asset in rows])
    return [
        Known(
            asset,
            tuple(originals.get(asset.id, ())),
            written.get(asset.id, {}),
            albums.get(asset.key, ()),
        )
        for asset in rows
    ]


def files_written(
    connection: Connection, results: Sequence[tuple[Known, Sequence[Written]]]
) -> None:
    """The files of these assets are written; copies of an older text are to be sent again."""
    if not results:
        return
    _store(connection, [(known, file) for known, files in results for file in files])
    # only where nothing newer arrived meanwhile
    ids = [known.asset.id for known, _ in results]
    raws = {
        row.id: row.raw
        for row in connection.execute(select(assets.c.id, assets.c.raw).where(assets.c.id.in_(ids)))
    }
    albums = album_paths(connection, [known.asset.key for known, _ in results])
    still = [
        known.asset.id
        for known, _ in results
        if raws.get(known.asset.id) == known.asset.raw
        and albums.get(known.asset.key, ()) == known.albums
    ]
    connection.execute(update(assets).where(assets.c.id.in_(still)).values(record_saved=True))


def _store(connection: Connection, files: Sequence[tuple[Known, Written]]) -> None:
    new: list[dict[str, Any]] = []
    old: list[dict[str, Any]] = []
    changed: list[int] = []
    for known, file in files:
        values = _values(file)
        row = known.written.get(file.role)
        if row is None:
            place = {"asset_id": known.asset.id, "filename": file.path.rpartition("/")[2]}
            new.append({**place, "role": file.role, **values})
            continue
        old.append({"_id": row.id, **values})
        if row.sha256 != file.sha256:
            changed.append(row.id)
    if new:
        connection.execute(insert(resources), new)
    if old:
        names: dict[str, Any] = {name: bindparam(name) for name in old[0] if name != "_id"}
        connection.execute(
            update(resources).where(resources.c.id == bindparam("_id")).values(names), old
        )
    if changed:
        connection.execute(
            update(copies)
            .where(copies.c.resource_id.in_(changed), copies.c.state != CopyState.DROPPED)
            .values(state=CopyState.PENDING, next_attempt=0, attempts=0)
        )


def _values(file: Written) -> dict[str, Any]:
    now = now_ms()
    return {
        "path": file.path,
        "sha256": file.sha256,
        "size": file.size,
        "version": file.sha256,
        "state": ResourceState.ARCHIVED,
        "archived_at": now,
        "proven_at": now,
        "error": None,
        "container": "json" if file.role is Role.RECORD else "xmp",
    }
