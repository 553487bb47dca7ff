"""What is to be proven: new copies, then what was proven too long ago; and what should lie where.

Each copy and each archived file falls due at a moment of its own, between half of the chosen period
and all of it, chosen by its id. So a library that was sent in one night is proven again over many
nights, and every proof is renewed within the period as long as runs get through with what is due.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from sqlalchemy import Connection, Row, and_, func, or_, select

from ..clock import DAY
from ..model import CopyState, ResourceState
from .schema import copies, resources
from .work import is_lost

_MARGIN: Final = 16
"""This part of the period is kept for nights without a run."""
_NIGHTS: Final = 2 * DAY + DAY // 8
"""And at least so much: what falls due after a run waits for the next, and one may be missed."""
_PARTS: Final = 64
_STEP: Final = 37  # coprime to it: neighbouring ids fall due far apart


@dataclass(frozen=True, slots=True)
class Due:
    """Which proofs are too old."""

    before: int
    """Those made later are not (milliseconds since 1970)."""
    spread: int = 0
    """Those made earlier by more than this are; in between it is each one's own moment."""

    @classmethod
    def within(cls, period: int, now: int) -> Self:
        """So that no proof gets older than ``period`` (milliseconds), even if a night is missed."""
        late = period - period // 2
        return cls(now - period // 2, late - min(late, max(period // _MARGIN, _NIGHTS)))

    def of(self, table: Any) -> Any:
        """The condition on rows of ``copies`` or ``resources``."""
        moment = table.c.proven_at < self.before
        if not self.spread:
            return moment
        share = (table.c.id * _STEP) % _PARTS
        return and_(moment, table.c.proven_at < self.before - share * self.spread // (_PARTS - 1))


def _waits(due: Due | None) -> Any:
    sent = copies.c.state == CopyState.SENT
    if due is None:
        return sent
    return or_(sent, and_(copies.c.state == CopyState.VERIFIED, due.of(copies)))


def to_prove(
    connection: Connection, target_id: str, due: Due | None, now: int, limit: int
) -> Sequence[Row[Any]]:
    """Copies that were sent but not proven, then (with ``due``) those proven longest ago."""
    return connection.execute(
        _with_wanted()
        .where(copies.c.target_id == target_id, copies.c.next_attempt <= now, _waits(due))
        .order_by(copies.c.proven_at.is_not(None), copies.c.proven_at, copies.c.id)
        .limit(limit)
    ).all()


def _with_wanted() -> Any:
    wanted, archived = resources.c.sha256.label("wanted_sha256"), resources.c.path.label("archived")
    return select(copies, wanted, archived, resources.c.role).join(
        resources, resources.c.id == copies.c.resource_id
    )


def archive_to_prove(connection: Connection, due: Due, limit: int) -> Sequence[Row[Any]]:
    """Archived files whose bytes were last read too long ago, oldest first."""
    return connection.execute(
        select(resources)
        .where(_lies_there(), due.of(resources))
        .order_by(resources.c.proven_at)
        .limit(limit)
    ).all()


def _lies_there() -> Any:
    """True for a file of the archive; a smaller version that another one replaced has no path."""
    return and_(resources.c.state == ResourceState.ARCHIVED, resources.c.path.is_not(None))


def waiting_proof(
    connection: Connection, target_id: str, due: Due | None = None
) -> tuple[int, int]:
    """(files, bytes) on a target that wait for a proof."""
    return _counted(connection, copies, and_(copies.c.target_id == target_id, _waits(due)))


def archive_waiting(connection: Connection, due: Due) -> tuple[int, int]:
    """(files, bytes) of the archive that wait to be read again."""
    return _counted(connection, resources, and_(_lies_there(), due.of(resources)))


def _counted(connection: Connection, table: Any, condition: Any) -> tuple[int, int]:
    row = connection.execute(
        select(func.count(), func.coalesce(func.sum(table.c.size), 0)).where(condition)
    ).one()
    return int(row[0]), int(row[1])


def count_lost(connection: Connection, target_id: str) -> int:
    """Copies at a target that are to be sent again."""
    query = select(func.count()).where(copies.c.target_id == target_id, is_lost())
    return int(connection.execute(query).scalar_one())


def should_lie_at(
    connection: Connection, target_id: str, after: int, limit: int
) -> Sequence[Row[Any]]:
    """(id, path, size) of proven copies at a target, by id, from the one after ``after`` on."""
    return connection.execute(
        select(copies.c.id, copies.c.path, copies.c.size)
        .where(
            copies.c.target_id == target_id,
            copies.c.state == CopyState.VERIFIED,
            copies.c.path.is_not(None),
            copies.c.id > after,
        )
        .order_by(copies.c.id)
        .limit(limit)
    ).all()


def should_lie_in_archive(connection: Connection, after: int, limit: int) -> Sequence[Row[Any]]:
    """(id, path, size) of archived files, by id, from the one after ``after`` on."""
    return connection.execute(
        select(resources.c.id, resources.c.path, resources.c.size)
        .where(
            resources.c.state == ResourceState.ARCHIVED,
            resources.c.path.is_not(None),
            resources.c.id > after,
        )
        .order_by(resources.c.id)
        .limit(limit)
    ).all()


def copies_by_id(
    connection: Connection,
    ids: Sequence[int],
    states: Sequence[CopyState] = (CopyState.VERIFIED,),
) -> Sequence[Row[Any]]:
    """Those of these copies that still count as proven, as ``to_prove`` gives them."""
    proven = and_(copies.c.state.in_(states), copies.c.path.is_not(None))
    return connection.execute(_with_wanted().where(copies.c.id.in_(ids), proven)).all()


def resources_by_id(connection: Connection, ids: Sequence[int]) -> Sequence[Row[Any]]:
    """Those of these files that still are archived."""
    archived = and_(resources.c.state == ResourceState.ARCHIVED, resources.c.path.is_not(None))
    return connection.execute(select(resources).where(resources.c.id.in_(ids), archived)).all()
