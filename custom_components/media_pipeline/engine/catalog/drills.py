"""Restore drills: what to fetch back from a target, and how it went."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from ..clock import now_ms
from ..model import ORIGINAL_ROLES, CopyState, DrillResult
from .schema import copies, drills, resources


def to_drill(connection: Connection, target_id: str, count: int) -> Sequence[Row[Any]]:
    """Proven copies of originals at a target, chosen at random: one file of each asset."""
    chosen = (
        select(func.min(copies.c.id).label("id"))
        .join(resources, resources.c.id == copies.c.resource_id)
        .where(
            copies.c.target_id == target_id,
            copies.c.state == CopyState.VERIFIED,
            copies.c.path.is_not(None),
            resources.c.role.in_(ORIGINAL_ROLES),
        )
        .group_by(resources.c.asset_id)
        .order_by(func.random())
        .limit(count)
        .subquery()
    )
    return connection.execute(
        select(
            copies,
            resources.c.sha256.label("wanted_sha256"),
            resources.c.role,
            resources.c.filename,
        )
        .join(resources, resources.c.id == copies.c.resource_id)
        .where(copies.c.id.in_(select(chosen.c.id)))
    ).all()


def drill_done(connection: Connection, result: DrillResult, actor: str | None) -> None:
    """Keep the result of a drill at one target."""
    connection.execute(
        insert(drills).values(
            target_id=result.target_id,
            at=now_ms(),
            files=result.files,
            passed=result.passed,
            bytes=result.bytes,
            error=result.error,
            actor=actor,
        )
    )


def last_drills(connection: Connection) -> dict[str, tuple[int, DrillResult]]:
    """The latest drill at each target: id → when it was, and its result."""
    latest = select(func.max(drills.c.id)).group_by(drills.c.target_id)
    rows = connection.execute(select(drills).where(drills.c.id.in_(latest)))
    return {
        row.target_id: (
            row.at,
            DrillResult(row.target_id, row.files, row.passed, row.bytes, row.error),
        )
        for row in rows
    }
