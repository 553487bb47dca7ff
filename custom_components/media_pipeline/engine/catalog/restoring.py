"""What a restore is asked for: originals of chosen assets, wherever their bytes are."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from ..model import ORIGINAL_ROLES, RestoreChoice
from .schema import album_assets, albums, assets, resources


def _chosen(choice: RestoreChoice) -> Select[Any]:
    query = select(assets.c.id)
    if choice.filename is not None:
        # upper and lower case as people mix them; * and ? stand for anything
        query = query.where(func.lower(assets.c.filename).op("GLOB")(choice.filename.lower()))
    if choice.since is not None:
        query = query.where(assets.c.captured >= choice.since)
    if choice.until is not None:
        query = query.where(assets.c.captured < choice.until)
    if choice.library is not None:
        query = query.where(assets.c.library == choice.library)
    if choice.favorites:
        query = query.where(assets.c.favorite)
    if choice.album is not None:
        members = (
            select(album_assets.c.asset_key)
            .join(albums, albums.c.key == album_assets.c.album_key)
            .where(func.lower(albums.c.name) == choice.album.lower())
        )
        query = query.where(assets.c.key.in_(members))
    return query


def chosen_assets(
    connection: Connection, choice: RestoreChoice, limit: int
) -> tuple[int, Sequence[int]]:
    """How many assets fit, and the ids of the newest of them."""
    query = _chosen(choice)
    count = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    newest = query.order_by(assets.c.captured.desc(), assets.c.id).limit(limit)
    return int(count), connection.execute(newest).scalars().all()


def files_of(connection: Connection, asset_ids: Sequence[int]) -> Sequence[Row[Any]]:
    """The originals of these assets, also those that were never archived."""
    return connection.execute(
        select(
            resources,
            assets.c.folder,
            assets.c.stem,
            assets.c.captured,
            assets.c.key.label("asset_key"),
        )
        .join(assets, assets.c.id == resources.c.asset_id)
        .where(
            resources.c.asset_id.in_(asset_ids),
            resources.c.current,
            resources.c.role.in_(ORIGINAL_ROLES),
        )
        .order_by(assets.c.captured.desc(), resources.c.id)
    ).all()
