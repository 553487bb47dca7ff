"""What is handed over: which files never are, what is told of them, and what nobody knows."""

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Final

from sqlalchemy import (
    Connection,
    and_,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
    true,
    update,
)

from ..errors import OutcomeUnknown
from ..home import Item
from ..model import DERIVED_ROLES, WRITTEN_ROLES, Content, CopyState, ResourceState, Role
from .albums import album_paths
from .failures import NEVER
from .listed import was_listed
from .schema import assets, copies, resources, targets
from .store import write_journal

VANISHED: Final = "vanished"
PRUNED: Final = "pruned"
ENOUGH_DAYS: Final = 3
"""Days on which a file must have been seen on the phone before anything is inferred from it."""

# Made once: an alias takes as long to make as some queries to run.
_SENT: Final = copies.alias("copies_before")
_HAD: Final = copies.alias("copies_had")
_OTHER: Final = resources.alias("resources_beside")

# A word the planner can compare with the partial index; a bound value it can't.
_IS_DELIVERED = literal_column("copies_before.state") == literal_column("'delivered'")


@lru_cache(128)
def not_for_hand_off(target_id: str, content: Content) -> Any:
    """A condition on resources that is true for every target that counts.

    A hand-off never gets our own records and sidecars, nor bytes that it was given before under
    another name, nor another version that we made of what it was given, nor what that was made of
    (unless its ``content`` is both): it would be a second photo there.
    """
    counts = select(targets.c.counts).where(targets.c.id == target_id).scalar_subquery()
    return or_(
        counts,
        and_(
            resources.c.role.not_in([*WRITTEN_ROLES, Role.SIDECAR]),
            ~_same_bytes(target_id),
            ~_made_again(target_id),
            true() if content is Content.BOTH else ~_another_version(target_id),
        ),
    )


def _same_bytes(target_id: str) -> Any:
    return exists().where(
        _SENT.c.target_id == target_id,
        _SENT.c.sha256 == resources.c.sha256,
        _SENT.c.resource_id != resources.c.id,
        _IS_DELIVERED,
    )


def _made_again(target_id: str) -> Any:
    # one question in the other, and no index on what it was made of: only the files of the same
    # asset are ever looked at
    return and_(
        resources.c.role.in_(DERIVED_ROLES),
        exists().where(
            _OTHER.c.asset_id == resources.c.asset_id,
            _OTHER.c.role == resources.c.role,
            func.coalesce(_OTHER.c.derived_from, 0) == func.coalesce(resources.c.derived_from, 0),
            _OTHER.c.id != resources.c.id,
            _had_other(target_id),
        ),
    )


def _another_version(target_id: str) -> Any:
    """What was made of a file, or that file: so when another content is chosen for a target."""
    return exists().where(
        _OTHER.c.asset_id == resources.c.asset_id,
        or_(
            _OTHER.c.id == resources.c.derived_from,
            _OTHER.c.derived_from == resources.c.id,
            and_(resources.c.role == Role.LIVE_VIDEO, _OTHER.c.role == Role.MOTION_PHOTO),
        ),
        _had_other(target_id),
    )


def _had_other(target_id: str) -> Any:
    return exists().where(
        _HAD.c.resource_id == _OTHER.c.id,
        _HAD.c.target_id == target_id,
        _HAD.c.state.in_([CopyState.DELIVERED, CopyState.HANDING]),
    )


def still_wanted(
    connection: Connection, target_id: str, content: Content, resource_id: int
) -> bool:
    """False once the same photo was handed over as another file, since the queue was asked."""
    query = select(resources.c.id).where(
        resources.c.id == resource_id, not_for_hand_off(target_id, content)
    )
    return connection.execute(query).first() is not None


def put_unknown_aside(connection: Connection, target_id: str) -> int:
    """Hand-offs that began and whose end nobody saw; returns how many."""
    count = connection.execute(
        update(copies)
        .where(copies.c.target_id == target_id, copies.c.state == CopyState.HANDING)
        .values(state=CopyState.QUARANTINED, next_attempt=NEVER, error=OutcomeUnknown.key)
    ).rowcount
    if count:
        write_journal(connection, "outcome_unknown", subject=target_id, detail={"files": count})
    return count


def keep_sha1(connection: Connection, resource_id: int, sha1: str) -> None:
    """Remember the SHA-1 of an archived file."""
    connection.execute(update(resources).where(resources.c.id == resource_id).values(sha1=sha1))


def item_of(connection: Connection, resource_id: int, path: Path) -> Item:
    """An archived file, which lies at ``path``, and what is known of its asset."""
    row = connection.execute(
        select(
            resources.c.role,
            resources.c.size,
            resources.c.sha256,
            resources.c.sha1,
            resources.c.filename.label("file"),
            assets,
        )
        .join(assets, assets.c.id == resources.c.asset_id)
        .where(resources.c.id == resource_id)
    ).one()
    return Item(
        path=path,
        filename=PurePosixPath(row.file or row.filename).stem + path.suffix,
        kind=row.kind,
        role=row.role,
        size=row.size,
        sha256=row.sha256,
        sha1=row.sha1 or "",
        asset_id=row.id,
        library=row.library,
        captured=row.captured,
        tz_offset=row.tz_offset,
        albums=album_paths(connection, [row.key]).get(row.key, ()),
        favorite=row.favorite,
        title=row.title,
        description=row.description,
        keywords=tuple(json.loads(row.keywords or "[]")),
    )


def example(connection: Connection, path_of: Callable[[str], Path]) -> Item | None:
    """The newest archived original."""
    row = connection.execute(
        select(resources.c.id, resources.c.path)
        .join(assets, assets.c.id == resources.c.asset_id)
        .where(
            resources.c.current,
            resources.c.role == Role.ORIGINAL,
            resources.c.state == ResourceState.ARCHIVED,
        )
        .order_by(assets.c.captured.desc())
        .limit(1)
    ).first()
    return None if row is None else item_of(connection, row.id, path_of(row.path))


def handed_numbers(connection: Connection) -> dict[str, dict[str, int]]:
    """Target id → what ``TargetStatus`` says of what was handed over there."""
    here = and_(copies.c.left_at.is_(None), copies.c.seen_at.is_not(None))
    rows = connection.execute(
        select(
            copies.c.target_id,
            func.count().label("delivered"),
            func.sum(copies.c.size).label("delivered_bytes"),
            func.sum(case((here, 1), else_=0)).label("resident"),
            func.sum(case((here, copies.c.size), else_=0)).label("resident_bytes"),
            func.sum(case((backed_up(), 1), else_=0)).label("inferred"),
        )
        .where(copies.c.state == CopyState.DELIVERED)
        .group_by(copies.c.target_id)
    )
    return {
        row.target_id: {
            name: getattr(row, name)
            for name in ("delivered", "delivered_bytes", "resident", "resident_bytes", "inferred")
        }
        for row in rows
    }


def backed_up() -> Any:
    """A condition on copies: something speaks for that Google Photos has the file. No proof.

    It vanished from the phone without us, as "Free up space" does with what was backed up; or the
    phone was told to look at it, and it lay there while we met the phone on several days. Or Google
    Photos, handed it through rclone, listed it.
    """
    return or_(
        copies.c.left_how == VANISHED,
        and_(copies.c.scanned_at.is_not(None), copies.c.seen_days >= ENOUGH_DAYS),
        was_listed(),
    )
