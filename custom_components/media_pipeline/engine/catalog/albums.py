"""Albums: which there are, which assets lie in them, and whose files must be told of a change."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import batched
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from ..model import AlbumChanges, AlbumRecord, SourceState
from .schema import album_assets, albums, assets

_MANY = 500
_DEEPEST = 16


def store_albums(connection: Connection, changes: AlbumChanges, gone: Sequence[str] = ()) -> None:
    """Store what a page says of albums; ``gone`` are keys that no longer exist.

    Files of ours that name an album (see stages/records.py) are written anew when it changes.
    """
    if changes.all_of is not None:
        named = {album.key for album in changes.albums}
        known = connection.execute(
            select(albums.c.key).where(albums.c.library == changes.all_of)
        ).scalars()
        gone = (*gone, *(key for key in known if key not in named))
    _forget(connection, gone)
    _store(connection, changes.albums)
    for album, members in changes.members:
        _replace_members(connection, album, members)
    _join(connection, changes.joined)
    _leave(connection, changes.left)


def album_paths(connection: Connection, keys: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Asset key → the albums it lies in, each as its folders' names and its own, joined by ``/``.

    A ``/`` in a name is shown as ``_``. Sorted; an asset in no album is left out.
    """
    found: dict[str, list[str]] = {}
    paths: dict[str, str] = {}
    for batch in batched(keys, _MANY, strict=False):
        rows = connection.execute(
            select(album_assets.c.asset_key, album_assets.c.album_key)
            .join(albums, albums.c.key == album_assets.c.album_key)
            .where(album_assets.c.asset_key.in_(batch))
        )
        for row in rows:
            if row.album_key not in paths:
                paths[row.album_key] = _path(connection, row.album_key)
            found.setdefault(row.asset_key, []).append(paths[row.album_key])
    return {key: tuple(sorted(names)) for key, names in found.items()}


def album_keys(connection: Connection, wanted: Callable[[str], bool]) -> list[str]:
    """Keys of the albums whose path (see ``album_paths``) is wanted."""
    keys = connection.execute(select(albums.c.key).where(albums.c.kind == "album")).scalars()
    return [key for key in keys.all() if wanted(_path(connection, key))]


def _path(connection: Connection, key: str) -> str:
    names: list[str] = []
    parent: str | None = key
    seen: set[str] = set()
    while parent is not None and parent not in seen and len(names) < _DEEPEST:
        seen.add(parent)  # folders in a circle must not hang us
        row = connection.execute(
            select(albums.c.name, albums.c.parent_key).where(albums.c.key == parent)
        ).first()
        if row is None:
            break
        names.append(row.name.replace("/", "_"))
        parent = row.parent_key
    return "/".join(reversed(names))


def _store(connection: Connection, found: Iterable[AlbumRecord]) -> None:
    found = list(found)
    known: Mapping[str, Any] = {}
    for batch in batched([album.key for album in found], _MANY, strict=False):
        rows = connection.execute(select(albums).where(albums.c.key.in_(batch)))
        known = {**known, **{row.key: row for row in rows}}
    for album in found:
        row = {
            "key": album.key,
            "library": album.library,
            "name": album.name,
            "parent_key": album.parent_key,
            "kind": "folder" if album.folder else "album",
        }
        before = known.get(album.key)
        if before is not None and dict(before._mapping) == row:
            continue
        connection.execute(
            insert(albums).values(row).on_conflict_do_update(index_elements=["key"], set_=row)
        )
        # what is below it has another path now; memberships may also have come before their album
        _rewrite_below(connection, album.key)


def _forget(connection: Connection, keys: Collection[str]) -> None:
    for batch in batched(keys, _MANY, strict=False):
        for key in connection.execute(
            select(albums.c.key).where(albums.c.key.in_(batch))
        ).scalars():
            _rewrite_below(connection, key)
        connection.execute(delete(album_assets).where(album_assets.c.album_key.in_(batch)))
        connection.execute(delete(album_assets).where(album_assets.c.asset_key.in_(batch)))
        connection.execute(delete(albums).where(albums.c.key.in_(batch)))


def _rewrite_below(connection: Connection, key: str) -> None:
    below, level = [key], [key]
    for _ in range(_DEEPEST):
        level = list(
            connection.execute(
                select(albums.c.key).where(
                    albums.c.parent_key.in_(level), albums.c.key.not_in(below)
                )
            ).scalars()
        )
        if not level:
            break
        below += level
    members = select(album_assets.c.asset_key).where(album_assets.c.album_key.in_(below))
    connection.execute(
        update(assets)
        .where(assets.c.key.in_(members), assets.c.record_saved)
        .values(record_saved=False)
    )


def _replace_members(connection: Connection, album: str, members: Sequence[str]) -> None:
    now = set(members)
    before = set(
        connection.execute(
            select(album_assets.c.asset_key).where(album_assets.c.album_key == album)
        ).scalars()
    )
    # a listing leaves out what is hidden or deleted; that is still in the album when it comes back
    listed = and_(assets.c.state == SourceState.PRESENT, ~assets.c.hidden)
    missing: set[str] = set()
    for batch in batched(sorted(before - now), _MANY, strict=False):
        kept = connection.execute(
            select(assets.c.key).where(assets.c.key.in_(batch), ~listed)
        ).scalars()
        missing |= set(batch) - set(kept)
    _leave(connection, [(album, key) for key in missing])
    _join(connection, [(album, key) for key in sorted(now - before)])


def _join(connection: Connection, pairs: Sequence[tuple[str, str]]) -> None:
    if pairs:
        rows = [{"album_key": album, "asset_key": asset} for album, asset in pairs]
        connection.execute(insert(album_assets).on_conflict_do_nothing(), rows)
        _rewrite(connection, [asset for _, asset in pairs])


def _leave(connection: Connection, pairs: Sequence[tuple[str, str]]) -> None:
    if pairs:
        one = and_(
            album_assets.c.album_key == bindparam("album"),
            album_assets.c.asset_key == bindparam("asset"),
        )
        rows = [{"album": album, "asset": asset} for album, asset in pairs]
        connection.execute(delete(album_assets).where(one), rows)
        _rewrite(connection, [asset for _, asset in pairs])


def _rewrite(connection: Connection, keys: Sequence[str]) -> None:
    for batch in batched(keys, _MANY, strict=False):
        connection.execute(
            update(assets)
            .where(assets.c.key.in_(batch), assets.c.record_saved)
            .values(record_saved=False)
        )
