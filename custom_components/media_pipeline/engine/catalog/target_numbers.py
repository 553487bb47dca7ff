"""The state of every target, in numbers, that people are shown."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from ..config import TargetConfig
from ..model import Content, CopyState, TargetStatus
from .drills import last_drills
from .hand_off import handed_numbers
from .lost import lost_copies
from .schema import copies, targets
from .scrub import waiting_proof
from .work import waiting_send


def target_statuses(
    connection: Connection, configs: Sequence[TargetConfig]
) -> dict[str, TargetStatus]:
    """The state of every configured target: id → numbers."""
    names = {config.target_id: config.name for config in configs}
    rules = {config.target_id: config.rules for config in configs}
    missing = {
        row.id: waiting_send(connection, row.id, Content(row.content), rules[row.id])[0]
        + waiting_proof(connection, row.id)[0]
        for row in connection.execute(select(targets).where(targets.c.id.in_(list(names))))
    }
    verified = copies.c.state == CopyState.VERIFIED
    numbers = {
        row.target_id: row
        for row in connection.execute(
            select(
                copies.c.target_id,
                func.count().filter(copies.c.state.in_([CopyState.SENT, CopyState.VERIFIED])),
                func.count().filter(verified),
                func.sum(copies.c.size).filter(verified),
                func.max(copies.c.proven_at),
            ).group_by(copies.c.target_id)
        )
    }
    handed = handed_numbers(connection)
    lost = lost_copies(connection)
    drills = last_drills(connection)
    result = {}
    for row in connection.execute(select(targets).where(targets.c.id.in_(list(names)))):
        number = numbers.get(row.id)
        drilled_at, drill = drills.get(row.id, (None, None))
        result[row.id] = TargetStatus(
            target_id=row.id,
            name=names[row.id],
            state=row.state,
            free_bytes=row.free_bytes,
            copies=number[1] if number else 0,
            verified=number[2] if number else 0,
            copies_bytes=(number[3] or 0) if number else 0,
            last_verified=number[4] if number else None,
            missing=missing.get(row.id, 0),
            lost=lost.get(row.id, 0),
            last_drill=drilled_at,
            drill_score=drill.score if drill else None,
            **handed.get(row.id, {}),
        )
    return result
