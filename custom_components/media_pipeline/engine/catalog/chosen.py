"""Which assets a target's rules let through, and what its layout must know of one."""

from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, exists, false, select, true

from ..clock import DAY, now_ms
from ..layout import LayoutFacts, needs, same_album
from ..model import ResourceState, Role
from ..rules import TargetRules
from .albums import album_keys, album_paths
from .schema import album_assets, assets, media_info, resources

_ORIGINAL: Final = resources.alias("resource_original")


def chosen(connection: Connection, rules: TargetRules) -> ColumnElement[bool]:
    """A condition on ``resources``: true for the files of assets that the rules let through."""
    if not rules.choosing:
        return true()
    wanted: list[ColumnElement[bool]] = []
    if rules.kinds:
        wanted.append(assets.c.kind.in_(rules.kinds))
    if rules.libraries:
        wanted.append(assets.c.library.in_(rules.libraries))
    if rules.favorites:
        wanted.append(assets.c.favorite)
    if rules.albums:
        wanted.append(_in_albums(connection, rules.albums))
    if rules.newest_days:
        wanted.append(assets.c.captured >= now_ms() - rules.newest_days * DAY)
    if rules.captured_from is not None:
        wanted.append(assets.c.captured >= rules.captured_from)
    # asked by id, so that a query that has no assets in it can use it too
    return resources.c.asset_id.in_(select(assets.c.id).where(and_(*wanted)))


def _in_albums(connection: Connection, names: tuple[str, ...]) -> ColumnElement[bool]:
    keys = album_keys(connection, lambda path: any(same_album(name, path) for name in names))
    if not keys:
        return false()
    return assets.c.key.in_(
        select(album_assets.c.asset_key).where(album_assets.c.album_key.in_(keys))
    )


def looked_at(rules: TargetRules) -> ColumnElement[bool]:
    """False while it is yet to be read which camera took it, and the layout asks for that."""
    if not needs(rules.layout, "camera"):
        return true()
    read = exists().where(media_info.c.resource_id == _ORIGINAL.c.id)
    return ~exists().where(
        _ORIGINAL.c.asset_id == resources.c.asset_id,
        _ORIGINAL.c.current,
        _ORIGINAL.c.role == Role.ORIGINAL,
        _ORIGINAL.c.state != ResourceState.QUARANTINED,
        ~read,
    )


def layout_facts(connection: Connection, rules: TargetRules, row: Any) -> LayoutFacts:
    """What the layout's tokens stand for; ``row`` is one of ``work.to_send``."""
    album = camera = None
    if needs(rules.layout, "album"):
        paths = album_paths(connection, [row.asset_key]).get(row.asset_key, ())
        named = [path for path in paths if any(same_album(name, path) for name in rules.albums)]
        album = next(iter(named or paths), None)
    if needs(rules.layout, "camera"):
        camera = connection.execute(
            select(media_info.c.model)
            .join(resources, resources.c.id == media_info.c.resource_id)
            .where(
                resources.c.asset_id == row.asset_id,
                resources.c.current,
                resources.c.role == Role.ORIGINAL,
            )
        ).scalar()
    before, _, name = row.path.rpartition("/")
    return LayoutFacts(
        name=name,
        tree=before.removesuffix(row.folder).strip("/"),
        folder=row.folder,
        key=row.asset_key,
        library=row.library,
        kind=row.asset_kind,
        captured=row.captured,
        album=album,
        camera=camera,
    )
