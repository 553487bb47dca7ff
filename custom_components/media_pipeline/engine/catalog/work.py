"""The queue: every stage asks here "what lacks what I make?"."""

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, literal, or_, select

from ..errors import CopyMismatch, CopyMissing
from ..model import (
    ORIGINAL_ROLES,
    WRITTEN_ROLES,
    CompressState,
    Content,
    CopyState,
    ResourceState,
    Role,
    SourceState,
)
from ..rules import TargetRules
from .chosen import chosen, looked_at
from .derivatives import given_up, is_live_pair
from .hand_off import not_for_hand_off
from .photo_formats import has_no_smaller, is_smaller
from .schema import assets, copies, resources, targets

# (resource columns, plus what naming and ordering need of the asset)
_COLUMNS = (
    resources,
    assets.c.key.label("asset_key"),
    assets.c.kind.label("asset_kind"),
    assets.c.library,
    assets.c.folder,
    assets.c.stem,
    assets.c.captured,
)
_FIRST = (assets.c.captured.desc(), resources.c.id)


def _to_ingest() -> Select[Any]:
    return (
        select(*_COLUMNS)
        .join(assets, assets.c.id == resources.c.asset_id)
        .where(
            resources.c.current,
            resources.c.role.in_(ORIGINAL_ROLES),
            resources.c.state.in_([ResourceState.PENDING, ResourceState.QUARANTINED]),
            assets.c.state == SourceState.PRESENT,
        )
    )


def to_ingest(
    connection: Connection, now: int, limit: int, skip: Collection[int] = ()
) -> Sequence[Row[Any]]:
    """Resources whose bytes are not in the archive and that may be tried now."""
    return connection.execute(
        _to_ingest()
        .where(resources.c.next_attempt <= now, resources.c.id.not_in(skip))
        .order_by(*_FIRST)
        .limit(limit)
    ).all()


def without_address(
    connection: Connection, now: int, expires_before: int, limit: int
) -> Sequence[str]:
    """Keys of assets with files to fetch next whose download address is missing or too old."""
    rows = connection.execute(
        _to_ingest()
        .with_only_columns(assets.c.key)
        .where(
            resources.c.next_attempt <= now,
            or_(resources.c.url.is_(None), resources.c.url_expires <= expires_before),
        )
        .order_by(*_FIRST)
        .limit(limit)
    )
    return list(dict.fromkeys(rows.scalars()))


def records_to_save(connection: Connection, limit: int, after: int = 0) -> Sequence[Row[Any]]:
    """Assets whose originals are archived and whose record or sidecar is missing or old, by id."""
    # an aggregate, because for EXISTS the planner takes the index on the state: all files per asset
    archived = (
        select(func.min(resources.c.state == ResourceState.ARCHIVED))
        .where(
            resources.c.asset_id == assets.c.id,
            resources.c.current,
            resources.c.role.in_(ORIGINAL_ROLES),
        )
        .scalar_subquery()
    )
    return connection.execute(
        select(assets)
        .where(~assets.c.record_saved, assets.c.id > after, archived == 1)
        .order_by(assets.c.id)
        .limit(limit)
    ).all()


def resource(connection: Connection, resource_id: int) -> Row[Any] | None:
    """One file as the catalog knows it now."""
    return connection.execute(select(resources).where(resources.c.id == resource_id)).first()


def to_compress(
    connection: Connection, now: int, limit: int, skip: Collection[int] = ()
) -> Sequence[Row[Any]]:
    """Archived originals that compress has not looked at."""
    return connection.execute(
        select(*_COLUMNS)
        .join(assets, assets.c.id == resources.c.asset_id)
        .where(
            resources.c.current,
            resources.c.state == ResourceState.ARCHIVED,
            resources.c.compress.in_([CompressState.PENDING, CompressState.QUARANTINED]),
            resources.c.next_attempt <= now,
            resources.c.id.not_in(skip),
        )
        .order_by(*_FIRST)
        .limit(limit)
    ).all()


@lru_cache(128)
def _wanted(content: Content, target_id: str) -> Any:
    """Which archived resources a target with this content gets."""
    originals = resources.c.role.in_([*ORIGINAL_ROLES, *WRITTEN_ROLES])
    smaller = or_(
        resources.c.role.in_(WRITTEN_ROLES),
        is_smaller(target_id),
        and_(resources.c.role.in_(ORIGINAL_ROLES), has_no_smaller(target_id)),
    )
    match content:
        case Content.ORIGINALS:
            return originals
        case Content.COMPRESSED:
            return smaller
        case Content.BOTH:
            return or_(originals, smaller)
        case Content.MOTION_PHOTOS:
            return or_(resources.c.role == Role.MOTION_PHOTO, _for_a_phone())
        case Content.SHARE:
            return resources.c.role == Role.SHARE


def _for_a_phone() -> Any:
    """Originals, but the two files of a Live Photo only when no motion photo comes of them."""
    return and_(
        resources.c.role.in_(ORIGINAL_ROLES - {Role.SIDECAR}),
        or_(
            resources.c.role.not_in([Role.ORIGINAL, Role.LIVE_VIDEO]),
            ~is_live_pair(),
            given_up(Role.MOTION_PHOTO),
        ),
    )


def _lacking(
    connection: Connection,
    query: Select[Any],
    target_id: str,
    content: Content,
    rules: TargetRules,
) -> Select[Any]:
    return (
        query.select_from(resources)
        .outerjoin(
            copies, and_(copies.c.resource_id == resources.c.id, copies.c.target_id == target_id)
        )
        .where(
            resources.c.current,
            resources.c.state == ResourceState.ARCHIVED,
            _wanted(content, target_id),
            chosen(connection, rules),
            or_(
                copies.c.id.is_(None),
                copies.c.state.in_([CopyState.PENDING, CopyState.QUARANTINED]),
            ),
            not_for_hand_off(target_id, content),
        )
    )


def to_send(
    connection: Connection,
    target_id: str,
    content: Content,
    rules: TargetRules,
    now: int,
    limit: int,
    skip: Collection[int] = (),
) -> Sequence[Row[Any]]:
    """Archived resources that a target lacks and that may be tried now."""
    return connection.execute(
        _lacking(
            connection,
            select(
                *_COLUMNS,
                copies.c.id.label("copy_id"),
                copies.c.path.label("copy_path"),
                copies.c.attempts.label("copy_attempts"),
            ),
            target_id,
            content,
            rules,
        )
        .join(assets, assets.c.id == resources.c.asset_id)
        .where(
            looked_at(rules),
            or_(copies.c.next_attempt.is_(None), copies.c.next_attempt <= now),
            resources.c.id.not_in(skip),
        )
        .order_by(*_FIRST)
        .limit(limit)
    ).all()


def lost_to_send(
    connection: Connection, target_id: str, now: int, limit: int, skip: Collection[int] = ()
) -> Sequence[Row[Any]]:
    """Like ``to_send``, but only what a target had and lost."""
    return connection.execute(
        select(*_COLUMNS, literal(None).label("copy_path"))
        .join(assets, assets.c.id == resources.c.asset_id)
        .join(copies, copies.c.resource_id == resources.c.id)
        .where(
            resources.c.current,
            resources.c.state == ResourceState.ARCHIVED,
            copies.c.target_id == target_id,
            is_lost(),
            copies.c.next_attempt <= now,
            resources.c.id.not_in(skip),
        )
        .order_by(*_FIRST)
        .limit(limit)
    ).all()


def is_lost() -> Any:
    """True for a copy that was there and is to be sent again."""
    return and_(
        copies.c.state == CopyState.PENDING,
        copies.c.error.in_([CopyMissing.key, CopyMismatch.key]),
    )


def _totals(connection: Connection, query: Select[Any]) -> tuple[int, int]:
    inner = query.subquery()
    row = connection.execute(
        select(func.count(), func.coalesce(func.sum(inner.c.size), 0)).select_from(inner)
    ).one()
    return int(row[0]), int(row[1])


def waiting_ingest(connection: Connection, now: int) -> tuple[int, int]:
    """(files, bytes) that ingest still has to fetch in this run."""
    return _totals(connection, _to_ingest().where(resources.c.next_attempt <= now))


def waiting_compress(connection: Connection) -> tuple[int, int]:
    """(files, bytes) that compress has not looked at."""
    return _totals(
        connection,
        select(resources.c.id, resources.c.size).where(
            resources.c.current,
            resources.c.state == ResourceState.ARCHIVED,
            resources.c.compress == CompressState.PENDING,
        ),
    )


def waiting_send(
    connection: Connection, target_id: str, content: Content, rules: TargetRules
) -> tuple[int, int]:
    """(files, bytes) that a target lacks and that its rules let through."""
    columns = select(resources.c.id, resources.c.size)
    return _totals(connection, _lacking(connection, columns, target_id, content, rules))


def known_targets(connection: Connection) -> dict[str, Row[Any]]:
    """All targets by id, also removed ones."""
    return {row.id: row for row in connection.execute(select(targets))}
