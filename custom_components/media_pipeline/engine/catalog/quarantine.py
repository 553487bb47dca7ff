"""What was put aside: which files, why, until when, and trying them again at once."""

from sqlalchemy import Connection, func, literal, null, select, union_all, update

from ..model import CompressState, CopyState, PutAside, ResourceState, Role, Stage
from .failures import NEVER
from .schema import assets, copies, derivatives, photo_formats, resources
from .store import write_journal


def put_aside(connection: Connection, limit: int) -> list[PutAside]:
    """Up to ``limit`` files, those tried soonest first."""
    files = (resources.c.filename, resources.c.role, assets.c.captured)
    of_asset = resources.join(assets, assets.c.id == resources.c.asset_id)
    query = union_all(
        select(
            literal(Stage.INGEST).label("stage"),
            null().label("target_id"),
            *files,
            resources.c.error.label("reason"),
            resources.c.next_attempt,
        )
        .select_from(of_asset)
        .where(resources.c.current, resources.c.state == ResourceState.QUARANTINED),
        select(
            literal(Stage.COMPRESS),
            null(),
            *files,
            resources.c.compress_reason,
            null(),
        )
        .select_from(of_asset)
        .where(resources.c.current, resources.c.compress == CompressState.QUARANTINED),
        select(
            literal(Stage.SYNC),
            copies.c.target_id,
            *files,
            copies.c.error,
            func.nullif(copies.c.next_attempt, NEVER),
        )
        .select_from(of_asset.join(copies, copies.c.resource_id == resources.c.id))
        .where(resources.c.current, copies.c.state == CopyState.QUARANTINED),
    ).subquery()
    rows = connection.execute(
        select(query).order_by(query.c.next_attempt.nulls_last(), query.c.filename).limit(limit)
    )
    return [
        PutAside(
            stage=Stage(row.stage),
            filename=row.filename,
            role=Role(row.role),
            reason=row.reason or "unknown",
            captured=row.captured,
            target_id=row.target_id,
            next_attempt=row.next_attempt,
        )
        for row in rows
    ]


def retry(connection: Connection, actor: str | None) -> int:
    """Let the next run try everything that was put aside; returns how many files."""
    again = {"attempts": 0, "next_attempt": 0}
    count = 0
    for query in (
        update(resources)
        .where(resources.c.state == ResourceState.QUARANTINED)
        .values(state=ResourceState.PENDING, **again),
        update(resources)
        .where(resources.c.compress == CompressState.QUARANTINED)
        .values(compress=CompressState.PENDING, **again),
        update(photo_formats)
        .where(photo_formats.c.state == CompressState.QUARANTINED)
        .values(state=CompressState.PENDING, **again),
        update(derivatives)
        .where(derivatives.c.state == CompressState.QUARANTINED)
        .values(state=CompressState.PENDING, **again),
        update(copies)
        .where(copies.c.state == CopyState.QUARANTINED)
        .values(state=CopyState.PENDING, **again),
    ):
        count += connection.execute(query).rowcount
    write_journal(connection, "quarantine_retried", actor=actor, detail={"files": count})
    return count
