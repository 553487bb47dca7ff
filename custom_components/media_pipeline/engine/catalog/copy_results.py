"""What happened at the targets: sent, proven and how long ago, lost, and which targets answer."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from ..clock import now_ms
from ..config import TargetConfig
from ..model import ORIGINAL_ROLES, CopyState, ProofMethod
from ..targets.base import TargetInfo
from .failures import Failure, next_try
from .schema import assets, copies, resources, targets
from .store import write_journal


def copy_sent(
    connection: Connection,
    resource_id: int,
    target_id: str,
    *,
    path: str,
    size: int,
    sha256: str,
    stored_sha256: str | None = None,
    proof: ProofMethod | None = None,
) -> None:
    """A file was published at a target; it counts for nothing until it is proven.

    ``proof`` is how that was done on the way already. ``size`` and ``stored_sha256`` are of what
    lies there; None when those are the file's own bytes. A record that was written anew while its
    older text was sent is sent again.
    """
    now = connection.execute(
        select(resources.c.sha256).where(resources.c.id == resource_id)
    ).scalar()
    row = {
        "resource_id": resource_id,
        "target_id": target_id,
        "state": CopyState.SENT if now == sha256 else CopyState.PENDING,
        "path": path,
        "size": size,
        "sha256": sha256,
        "stored_sha256": stored_sha256,
        "sent_at": now_ms(),
        "proven_at": None,
        "next_attempt": 0,
        "error": None,
    }
    if proof is not None and now == sha256:
        row |= {
            "state": CopyState.VERIFIED,
            "method": proof,
            "proven_at": row["sent_at"],
            "attempts": 0,
        }
    # the failed tries are forgotten when it is proven, not before: a target that spoils what it is
    # given would be sent the same file for ever
    connection.execute(
        upsert(copies)
        .values(row)
        .on_conflict_do_update(index_elements=["resource_id", "target_id"], set_=row)
    )


def copy_delivered(
    connection: Connection, resource_id: int, target_id: str, *, path: str, size: int, sha256: str
) -> None:
    """A file was handed over: it is never sent again, never proven, and counts for nothing."""
    row = {
        "resource_id": resource_id,
        "target_id": target_id,
        "state": CopyState.DELIVERED,
        "path": path,
        "size": size,
        "sha256": sha256,
        "sent_at": now_ms(),
        "proven_at": None,
        "attempts": 0,
        "next_attempt": 0,
        "error": None,
    }
    connection.execute(
        upsert(copies)
        .values(row)
        .on_conflict_do_update(index_elements=["resource_id", "target_id"], set_=row)
    )


def copy_handing(connection: Connection, resource_id: int, target_id: str) -> None:
    """A hand-off begins; until its end is known it is not begun again."""
    row = {
        "resource_id": resource_id,
        "target_id": target_id,
        "state": CopyState.HANDING,
        "sent_at": now_ms(),
    }
    connection.execute(
        upsert(copies)
        .values(row)
        .on_conflict_do_update(index_elements=["resource_id", "target_id"], set_=row)
    )


def copy_not_handed(connection: Connection, resource_id: int, target_id: str) -> None:
    """A hand-off was refused before it did anything, and not for what was to be handed over."""
    connection.execute(
        update(copies)
        .where(
            copies.c.resource_id == resource_id,
            copies.c.target_id == target_id,
            copies.c.state == CopyState.HANDING,
        )
        .values(state=CopyState.PENDING)
    )


def copy_failed(connection: Connection, resource_id: int, target_id: str, failure: Failure) -> bool:
    """A file could not be delivered; returns True when it is quarantined now."""
    attempts = (
        connection.execute(
            select(copies.c.attempts).where(
                copies.c.resource_id == resource_id, copies.c.target_id == target_id
            )
        ).scalar()
        or 0
    ) + 1
    quarantined, when = next_try(attempts, failure)
    row = {
        "resource_id": resource_id,
        "target_id": target_id,
        "state": CopyState.QUARANTINED if quarantined else CopyState.PENDING,
        "attempts": attempts,
        "next_attempt": when,
        "error": failure.key,
    }
    connection.execute(
        upsert(copies)
        .values(row)
        .on_conflict_do_update(index_elements=["resource_id", "target_id"], set_=row)
    )
    return quarantined


def names_at(connection: Connection, target_id: str) -> list[tuple[str, str]]:
    """(path there, path in the archive) of a target's encrypted copies, by path."""
    rows = connection.execute(
        select(copies.c.path, func.coalesce(resources.c.path, resources.c.filename))
        .join(resources, resources.c.id == copies.c.resource_id)
        .where(
            copies.c.target_id == target_id,
            copies.c.path.is_not(None),
            copies.c.stored_sha256.is_not(None),
            copies.c.state.in_([CopyState.SENT, CopyState.VERIFIED]),
        )
        .order_by(copies.c.path)
    )
    return [(row[0], row[1]) for row in rows]


def copies_proven(connection: Connection, proven: Sequence[tuple[int, str, ProofMethod]]) -> None:
    """These copies (id, SHA-256, how) were read or hashed at their target and are right."""
    if not proven:
        return
    connection.execute(
        update(copies)
        .where(
            copies.c.id == bindparam("_id"),
            # not when a newer text took the place of the one that was proven
            select(resources.c.sha256)
            .where(resources.c.id == copies.c.resource_id)
            .scalar_subquery()
            == bindparam("_sha256"),
        )
        .values(
            state=CopyState.VERIFIED,
            sha256=bindparam("_sha256"),
            method=bindparam("_method"),
            proven_at=now_ms(),
            attempts=0,
            error=None,
        ),
        [{"_id": row[0], "_sha256": row[1], "_method": row[2]} for row in proven],
    )


def copy_lost(connection: Connection, copy_id: int, reason: str) -> None:
    """A copy is missing or has other bytes: it counts for nothing and is sent again.

    What lies at the target is left there for its owner to look at; the new file gets another name.
    A copy that is lost again and again is put aside like any other failure.
    """
    attempts = (
        connection.execute(select(copies.c.attempts).where(copies.c.id == copy_id)).scalar_one() + 1
    )
    quarantined, when = next_try(attempts, Failure(reason, final=False, counts=True))
    connection.execute(
        update(copies)
        .where(copies.c.id == copy_id)
        .values(
            state=CopyState.QUARANTINED if quarantined else CopyState.PENDING,
            path=None,
            proven_at=None,
            attempts=attempts,
            next_attempt=when,
            error=reason,
        )
    )
    write_journal(connection, "copy_lost", subject=f"copy/{copy_id}", detail={"reason": reason})


def register_targets(connection: Connection, wanted: Sequence[TargetConfig]) -> None:
    """Make the targets table match the configuration."""
    for config in wanted:
        row = {
            "id": config.target_id,
            "kind": config.kind,
            "content": config.content,
            "counts": not config.hand_off,
            "removed": False,
        }
        connection.execute(
            upsert(targets).values(row).on_conflict_do_update(index_elements=["id"], set_=row)
        )
    connection.execute(
        update(targets)
        .where(targets.c.id.not_in([config.target_id for config in wanted]))
        .values(removed=True)
    )
    # what was sent to a place that has become a hand-off is not sent again, and the other way round
    # what nobody ever proved has to be
    for config in wanted:
        before, after = (
            ([CopyState.SENT, CopyState.VERIFIED], CopyState.DELIVERED)
            if config.hand_off
            else ([CopyState.DELIVERED], CopyState.SENT)
        )
        connection.execute(
            update(copies)
            .where(copies.c.target_id == config.target_id, copies.c.state.in_(before))
            .values(state=after, proven_at=None)
        )


def target_opened(
    connection: Connection, target_id: str, info: TargetInfo, state: str = "ok"
) -> None:
    """A target answered and is the one we know."""
    connection.execute(
        update(targets)
        .where(targets.c.id == target_id)
        .values(
            marker_id=info.identity.marker_id,
            device_id=info.identity.device_id,
            domain=info.domain,
            off_machine=info.off_machine,
            free_bytes=info.free_bytes,
            state=state,
            checked_at=now_ms(),
        )
    )
    # one server under two names would count as two places
    connection.execute(
        update(targets).where(targets.c.domain.in_(info.other_domains)).values(domain=info.domain)
    )


def target_failed(connection: Connection, target_id: str, key: str) -> None:
    """A target can't be used now."""
    connection.execute(
        update(targets).where(targets.c.id == target_id).values(state=key, checked_at=now_ms())
    )


def old_proofs(
    connection: Connection, asset_ids: Sequence[int], target_ids: Sequence[str], before: int
) -> Sequence[Row[Any]]:
    """Verified copies of the originals of these assets that were proven before ``before``."""
    return connection.execute(
        select(copies, resources.c.sha256.label("wanted_sha256"), resources.c.role)
        .join(resources, resources.c.id == copies.c.resource_id)
        .join(assets, assets.c.id == resources.c.asset_id)
        .where(
            assets.c.id.in_(asset_ids),
            resources.c.current,
            resources.c.role.in_(ORIGINAL_ROLES),
            copies.c.target_id.in_(target_ids),  # removed ones count nothing and can't be asked
            copies.c.state == CopyState.VERIFIED,
            copies.c.proven_at < before,
        )
    ).all()
