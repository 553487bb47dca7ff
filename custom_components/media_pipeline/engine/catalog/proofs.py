"""Writing down what verify found: proven, lost, damaged, healed. Many files in one transaction."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select, update

from ..clock import DAY, now_ms
from ..model import (
    DERIVED_ROLES,
    WRITTEN_ROLES,
    CopyState,
    ProofMethod,
    ResourceState,
    Role,
    SourceState,
)
from . import copy_results, results
from .schema import assets, copies, resources, targets
from .store import write_journal


def copies_proven(connection: Connection, proven: Sequence[tuple[int, str, ProofMethod]]) -> None:
    """These copies (id, SHA-256, how) were read or hashed at their target and are right."""
    copy_results.copies_proven(connection, proven)


def copies_lost(
    connection: Connection, lost: Mapping[int, tuple[str, str | None]]
) -> dict[int, str]:
    """Copies by id that are missing or wrong: the reason, and where a wrong one was set aside.

    Returns those that were not known to be lost.
    """
    new: dict[int, str] = {}
    for copy_id, (reason, aside) in lost.items():
        state = connection.execute(select(copies.c.state).where(copies.c.id == copy_id)).scalar()
        if state in {CopyState.SENT, CopyState.VERIFIED}:
            copy_results.copy_lost(connection, copy_id, reason)
            new[copy_id] = reason
        if aside is not None:
            write_journal(
                connection, "copy_set_aside", subject=f"copy/{copy_id}", detail={"to": aside}
            )
    return new


def archive_proven(connection: Connection, resource_ids: Sequence[int]) -> None:
    """Archived files were read again and have their bytes."""
    connection.execute(
        update(resources).where(resources.c.id.in_(resource_ids)).values(proven_at=now_ms())
    )


def archive_damaged(
    connection: Connection, damaged: Mapping[int, tuple[str, str | None]], target_ids: Sequence[str]
) -> None:
    """Archived files by id that are missing or wrong: why, and where a wrong one was set aside.

    What has a proven copy at one of ``target_ids`` is to be brought back from there, and iCloud is
    asked for it only when that did not happen for a day. Anything else is fetched or made again.
    """
    for resource_id, (reason, aside) in damaged.items():
        row = connection.execute(select(resources).where(resources.c.id == resource_id)).one()
        if row.state != ResourceState.ARCHIVED:
            continue
        if row.role in WRITTEN_ROLES or not copies_of(connection, resource_id, target_ids):
            results.archive_damaged(connection, resource_id, reason)
            if row.role not in DERIVED_ROLES | WRITTEN_ROLES:
                _keep_path(connection, row)
        else:
            write_journal(
                connection,
                "archive_damaged",
                subject=f"resource/{resource_id}",
                detail={"reason": reason},
            )
            connection.execute(
                update(resources)
                .where(resources.c.id == resource_id)
                .values(
                    state=ResourceState.PENDING,
                    next_attempt=now_ms() + DAY,
                    error=reason,
                    proven_at=None,
                )
            )
        if aside is not None:
            write_journal(
                connection,
                "archive_set_aside",
                subject=f"resource/{resource_id}",
                detail={"to": aside},
            )


def _keep_path(connection: Connection, row: Row[Any]) -> None:
    """A copy may be proven later, and then it goes where it was."""
    connection.execute(update(resources).where(resources.c.id == row.id).values(path=row.path))


def copies_of(
    connection: Connection, resource_id: int, target_ids: Sequence[str]
) -> Sequence[Row[Any]]:
    """Proven copies of a file at these targets, those proven last first."""
    return connection.execute(
        select(copies, resources.c.sha256.label("wanted_sha256"), resources.c.role)
        .join(resources, resources.c.id == copies.c.resource_id)
        .join(targets, targets.c.id == copies.c.target_id)
        .where(
            copies.c.resource_id == resource_id,
            copies.c.target_id.in_(target_ids),
            copies.c.state == CopyState.VERIFIED,
            copies.c.sha256 == resources.c.sha256,
            copies.c.path.is_not(None),
        )
        .order_by(copies.c.proven_at.desc())
    ).all()


def _damaged() -> Any:
    """Files that were archived once and are not now."""
    return (
        resources.c.current
        & resources.c.state.in_([ResourceState.PENDING, ResourceState.QUARANTINED])
        & resources.c.sha256.is_not(None)
        & resources.c.role.not_in(WRITTEN_ROLES)
    )


def _has_copy(target_ids: Sequence[str]) -> Any:
    return (
        select(copies.c.id)
        .where(
            copies.c.resource_id == resources.c.id,
            copies.c.target_id.in_(target_ids),
            copies.c.state == CopyState.VERIFIED,
            copies.c.sha256 == resources.c.sha256,
        )
        .exists()
    )


def to_heal(
    connection: Connection, target_ids: Sequence[str], limit: int, skip: Sequence[int] = ()
) -> Sequence[Row[Any]]:
    """Damaged files of the archive with a proven copy to bring back, the newest photos first."""
    return connection.execute(
        select(resources, assets.c.folder, assets.c.stem, assets.c.captured)
        .join(assets, assets.c.id == resources.c.asset_id)
        .where(_damaged(), _has_copy(target_ids), resources.c.id.not_in(skip))
        .order_by(assets.c.captured.desc(), resources.c.id)
        .limit(limit)
    ).all()


def archive_healed(connection: Connection, resource_id: int, target_id: str, path: str) -> bool:
    """A damaged file was brought back and lies at ``path``; False when something else mended it."""
    row = connection.execute(select(resources).where(resources.c.id == resource_id)).one()
    if row.state == ResourceState.ARCHIVED or not row.current:
        return False
    if row.path != path:  # the record tells of paths
        connection.execute(
            update(assets).where(assets.c.id == row.asset_id).values(record_saved=False)
        )
    connection.execute(
        update(resources)
        .where(resources.c.id == resource_id)
        .values(
            state=ResourceState.ARCHIVED,
            path=path,
            proven_at=now_ms(),
            attempts=0,
            next_attempt=0,
            error=None,
        )
    )
    write_journal(
        connection,
        "archive_healed",
        subject=f"resource/{resource_id}",
        detail={"target": target_id},
    )
    return True


def give_up(connection: Connection, target_ids: Sequence[str]) -> int:
    """What can't be brought back is made again, or is lost; returns how many files are lost.

    Lost is what iCloud no longer has either: it is put aside, and brought back when a copy turns
    up. What iCloud has is fetched by the next ingest.
    """
    rows = connection.execute(
        select(resources, assets.c.state.label("asset_state"))
        .join(assets, assets.c.id == resources.c.asset_id)
        .where(_damaged(), resources.c.state == ResourceState.PENDING, ~_has_copy(target_ids))
    ).all()
    lost = 0
    for row in rows:
        reason = row.error or "file_vanished"
        if row.role in DERIVED_ROLES:
            results.archive_damaged(connection, row.id, reason)
        elif row.asset_state == SourceState.PRESENT:
            if row.next_attempt > now_ms() and row.attempts == 0:
                connection.execute(
                    update(resources).where(resources.c.id == row.id).values(next_attempt=0)
                )
        else:
            connection.execute(
                update(resources)
                .where(resources.c.id == row.id)
                .values(state=ResourceState.QUARANTINED)
            )
            write_journal(
                connection,
                "archive_lost",
                subject=f"resource/{row.id}",
                detail={"role": Role(row.role), "reason": reason},
            )
            lost += 1
    return lost
