"""What of all that was handed over to a phone still lies there."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, case, func, or_, select, update

from ..clock import DAY, now_ms
from ..model import CopyState
from .hand_off import ENOUGH_DAYS, PRUNED, VANISHED, backed_up
from .schema import copies
from .store import write_journal

_OLDEST = (func.coalesce(copies.c.scanned_at, 0), copies.c.id)


def _there(target_id: str) -> Any:
    return (
        copies.c.target_id == target_id,
        copies.c.state == CopyState.DELIVERED,
        copies.c.left_at.is_(None),
    )


def believed_there(connection: Connection, target_id: str) -> Sequence[Row[Any]]:
    """Files that nobody noticed to be gone, with ``evidence`` of a back-up.

    First what the phone was never told of, then what it was told of longest ago.
    """
    return connection.execute(
        select(copies, backed_up().label("evidence")).where(*_there(target_id)).order_by(*_OLDEST)
    ).all()


def seen(connection: Connection, there: Sequence[int], gone: Sequence[int]) -> None:
    """The phone was looked at: these copies lie there, those no longer do, and not by us."""
    now = now_ms()
    another_day = func.coalesce(copies.c.seen_at, 0) // DAY != now // DAY
    if there:
        connection.execute(
            update(copies)
            .where(copies.c.id == bindparam("_id"))
            .values(
                seen_days=copies.c.seen_days + case((another_day, 1), else_=0),
                seen_at=now,
            ),
            [{"_id": one} for one in there],
        )
    if gone:
        connection.execute(
            update(copies)
            .where(copies.c.id == bindparam("_id"))
            .values(left_at=now, left_how=VANISHED),
            [{"_id": one} for one in gone],
        )


def to_tell(connection: Connection, target_id: str, before: int) -> Sequence[Row[Any]]:
    """Files that lie there and that the phone was not told of, or before ``before`` and in vain.

    In vain means that nothing speaks for a back-up yet. In the order of ``believed_there``.
    """
    return connection.execute(
        select(copies)
        .where(
            *_there(target_id),
            or_(
                copies.c.scanned_at.is_(None),
                and_(copies.c.scanned_at < before, copies.c.seen_days < ENOUGH_DAYS),
            ),
        )
        .order_by(*_OLDEST)
    ).all()


def arrived(connection: Connection, times: dict[int, int]) -> None:
    """How new files lie there: copy → time by the phone's clock, in seconds."""
    if times:
        seen(connection, list(times), ())
        connection.execute(
            update(copies)
            .where(copies.c.id == bindparam("_id"), copies.c.mtime.is_(None))
            .values(mtime=bindparam("_mtime")),
            [{"_id": one, "_mtime": mtime} for one, mtime in times.items()],
        )


def told(connection: Connection, ids: Sequence[int]) -> None:
    """The phone's media library looked at these.

    Days on which they lay there unknown to it speak for nothing, so they are not counted.
    """
    if ids:
        connection.execute(
            update(copies)
            .where(copies.c.id == bindparam("_id"))
            .values(
                seen_days=case((copies.c.scanned_at.is_(None), 1), else_=copies.c.seen_days),
                scanned_at=now_ms(),
            ),
            [{"_id": one} for one in ids],
        )


def rescanned(connection: Connection, target_id: str, files: int, actor: str | None) -> None:
    """Somebody had the phone told again of all that lies there."""
    write_journal(
        connection, "phone_rescan", actor=actor, subject=target_id, detail={"files": files}
    )


def pruned(connection: Connection, copy_id: int) -> None:
    """We removed a file from the phone."""
    connection.execute(
        update(copies).where(copies.c.id == copy_id).values(left_at=now_ms(), left_how=PRUNED)
    )
    write_journal(connection, "phone_pruned", subject=f"copy/{copy_id}")
