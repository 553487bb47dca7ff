"""The numbers over the whole library that people are shown."""

from sqlalchemy import Connection, and_, case, func, select

from ..model import ORIGINAL_ROLES, LibraryStats, ResourceState, Role, SourceState
from .protection import Ground, flag, per_asset
from .schema import assets, resources

# Each photo once: not the versions in further formats that single targets want.
_SMALLER = and_(resources.c.role == Role.COMPRESSED, resources.c.format.is_(None))
_MADE_OF = resources.alias("made_of")


def library_stats(connection: Connection, ground: Ground) -> LibraryStats:
    """Numbers over the whole catalog."""
    asset = per_asset(ground)
    row = connection.execute(
        select(
            func.count().label("items"),
            func.sum(asset.c.bytes).label("bytes"),
            func.sum(asset.c.protected).label("protected"),
            func.sum(asset.c.quarantined).label("quarantined"),
            func.sum(flag(asset.c.reason.is_(None))).label("freeable"),
            func.sum(case((asset.c.reason.is_(None), asset.c.bytes), else_=0)).label("free_bytes"),
        ).select_from(asset)
    ).one()
    files = connection.execute(
        select(
            func.sum(resources.c.size).filter(resources.c.role.in_(ORIGINAL_ROLES)),
            func.count().filter(_SMALLER),
            func.sum(resources.c.size).filter(_SMALLER),
        ).where(resources.c.current, resources.c.state == ResourceState.ARCHIVED)
    ).one()
    before = connection.execute(
        select(func.sum(_MADE_OF.c.size))
        .select_from(resources)
        .join(_MADE_OF, _MADE_OF.c.id == resources.c.derived_from)
        .where(resources.c.current, _SMALLER)
    ).scalar()
    purge = connection.execute(
        select(func.sum(resources.c.size))
        .join(assets, assets.c.id == resources.c.asset_id)
        .where(
            assets.c.state == SourceState.TRASHED,
            resources.c.current,
            resources.c.role.in_(ORIGINAL_ROLES),
        )
    ).scalar()
    return LibraryStats(
        items=row.items or 0,
        bytes=row.bytes or 0,
        archived=_archived_assets(connection),
        archived_bytes=files[0] or 0,
        protected=row.protected or 0,
        freeable=row.freeable or 0,
        freeable_bytes=row.free_bytes or 0,
        compressed=files[1] or 0,
        compressed_bytes=files[2] or 0,
        compressed_saved_bytes=(before or 0) - (files[2] or 0),
        pending_purge_bytes=purge or 0,
        quarantined=row.quarantined or 0,
    )


def _archived_assets(connection: Connection) -> int:
    whole = (
        select(resources.c.asset_id)
        .where(resources.c.current, resources.c.role.in_(ORIGINAL_ROLES))
        .group_by(resources.c.asset_id)
        .having(func.min(resources.c.state == ResourceState.ARCHIVED) == 1)
        .subquery()
    )
    return connection.execute(select(func.count()).select_from(whole)).scalar_one()
