"""Assets that their owner deleted at the source, and the copies of them that targets hold."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, exists, select, update

from ..clock import now_ms
from ..model import CopyState, PlanItemState, SourceState
from .schema import assets, copies, plan_items, resources
from .store import write_journal

ASIDE: Final = ".archive"
"""Folder at a target for copies of what was deleted at the source."""


def note_left(connection: Connection) -> None:
    """Note since when we know that assets are gone; those that came back are as before."""
    is_present = assets.c.state == SourceState.PRESENT
    connection.execute(
        update(assets).where(~is_present, assets.c.left_at.is_(None)).values(left_at=now_ms())
    )
    connection.execute(
        update(assets).where(is_present, assets.c.left_at.is_not(None)).values(left_at=None)
    )


def to_move_aside(
    connection: Connection, target_id: str, left_before: int, after: int, limit: int
) -> Sequence[Row[Any]]:
    """Proven copies (id, path) of assets that are gone since then, by id from ``after`` on.

    What a cleanup of ours freed was not deleted by its owner: those copies are all that there is.
    """
    freed = exists().where(
        plan_items.c.asset_id == assets.c.id,
        plan_items.c.state.in_([PlanItemState.FREED, PlanItemState.UNKNOWN]),
    )
    return connection.execute(
        select(copies.c.id, copies.c.path)
        .join(resources, resources.c.id == copies.c.resource_id)
        .join(assets, assets.c.id == resources.c.asset_id)
        .where(
            copies.c.target_id == target_id,
            copies.c.state == CopyState.VERIFIED,
            copies.c.path.is_not(None),
            ~copies.c.path.startswith(f"{ASIDE}/"),
            copies.c.id > after,
            assets.c.state != SourceState.PRESENT,
            assets.c.left_at <= left_before,
            ~freed,
        )
        .order_by(copies.c.id)
        .limit(limit)
    ).all()


def moved_aside(connection: Connection, moved: Sequence[tuple[int, str]]) -> None:
    """These copies (id, new path) lie elsewhere now: the same files under other names."""
    for copy_id, path in moved:
        connection.execute(update(copies).where(copies.c.id == copy_id).values(path=path))
        write_journal(connection, "copy_archived", subject=f"copy/{copy_id}", detail={"to": path})
