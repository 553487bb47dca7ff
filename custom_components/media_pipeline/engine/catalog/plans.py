"""Cleanup plans: what was proposed, by whom approved, and what became of each asset."""

import hashlib
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, and_, exists, func, insert, or_, select, update

from ..clock import now_ms
from ..model import (
    ORIGINAL_ROLES,
    PlanItemState,
    PlanState,
    PlanSummary,
    SourceState,
)
from .protection import Ground, eligible
from .schema import assets, plan_items, plans, resources
from .store import write_journal


def digest_of(connection: Connection, asset_ids: Sequence[int]) -> str:
    """SHA-256 over what the catalog holds of these assets: any change makes another digest."""
    digest = hashlib.sha256()
    rows = connection.execute(
        select(
            assets.c.key,
            assets.c.state,
            assets.c.asset_tag,
            assets.c.master_tag,
            resources.c.role,
            resources.c.version,
            resources.c.size,
            resources.c.sha256,
            resources.c.path,
        )
        .join(resources, resources.c.asset_id == assets.c.id)
        .where(
            assets.c.id.in_(asset_ids),
            resources.c.current,
            resources.c.role.in_(ORIGINAL_ROLES),
        )
        .order_by(assets.c.id, resources.c.role, resources.c.id)
    )
    for row in rows:
        digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()


def make_plan(connection: Connection, ground: Ground, limit: int, actor: str | None) -> PlanSummary:
    """Propose to free up to ``limit`` assets; older proposals are replaced."""
    connection.execute(
        update(plans)
        .where(plans.c.state.in_([PlanState.PROPOSED, PlanState.APPROVED]))
        .values(state=PlanState.STOPPED, stop_reason="replaced", ended=now_ms())
    )
    chosen = eligible(connection, ground, limit)
    plan_id = uuid4().hex[:12]
    digest = digest_of(connection, [row.id for row in chosen])
    connection.execute(
        insert(plans).values(
            id=plan_id,
            digest=digest,
            state=PlanState.PROPOSED,
            created=now_ms(),
            created_by=actor,
        )
    )
    if chosen:
        connection.execute(
            insert(plan_items),
            [
                {
                    "plan_id": plan_id,
                    "asset_id": row.id,
                    "asset_tag": row.asset_tag,
                    "master_tag": row.master_tag,
                    "bytes": row.bytes,
                    "state": PlanItemState.PROPOSED,
                }
                for row in chosen
            ],
        )
    write_journal(
        connection, "plan_made", actor=actor, subject=plan_id, detail={"assets": len(chosen)}
    )
    summary = summary_of(connection, plan_id)
    assert summary is not None  # noqa: S101 - it was just inserted
    return summary


def summary_of(connection: Connection, plan_id: str | None = None) -> PlanSummary | None:
    """A plan in numbers; the newest one without an id."""
    query = select(plans).order_by(plans.c.created.desc(), plans.c.id).limit(1)
    if plan_id is not None:
        query = query.where(plans.c.id == plan_id)
    plan = connection.execute(query).first()
    if plan is None:
        return None
    freed = plan_items.c.state == PlanItemState.FREED
    numbers = connection.execute(
        select(
            func.count(),
            func.sum(plan_items.c.bytes),
            func.count().filter(freed),
            func.sum(plan_items.c.bytes).filter(freed),
            func.max(plan_items.c.purge_at).filter(freed),
        ).where(plan_items.c.plan_id == plan.id)
    ).one()
    return PlanSummary(
        plan_id=plan.id,
        digest=plan.digest,
        state=PlanState(plan.state),
        created=plan.created,
        assets=numbers[0],
        bytes=numbers[1] or 0,
        freed_assets=numbers[2],
        freed_bytes=numbers[3] or 0,
        purge_at=numbers[4],
        stop_reason=plan.stop_reason,
    )


def is_current(connection: Connection, plan_id: str) -> bool:
    """True while the catalog still says of the plan's assets what it said when it was made."""
    digest = connection.execute(select(plans.c.digest).where(plans.c.id == plan_id)).scalar_one()
    ids = connection.execute(
        select(plan_items.c.asset_id).where(plan_items.c.plan_id == plan_id)
    ).scalars()
    return bool(digest == digest_of(connection, list(ids)))


def set_plan_state(
    connection: Connection,
    plan_id: str,
    state: PlanState,
    *,
    actor: str | None = None,
    stop_reason: str | None = None,
) -> None:
    """Move a plan on, with a journal entry."""
    changes: dict[str, Any] = {"state": state, "stop_reason": stop_reason}
    if state is PlanState.APPROVED:
        changes |= {"approved": now_ms(), "approved_by": actor}
    elif state in {PlanState.EXECUTED, PlanState.STOPPED, PlanState.UNDONE}:
        changes["ended"] = now_ms()
    connection.execute(update(plans).where(plans.c.id == plan_id).values(**changes))
    write_journal(
        connection, f"plan_{state}", actor=actor, subject=plan_id, detail={"reason": stop_reason}
    )


def claim(connection: Connection, plan_id: str, actor: str | None) -> bool:
    """Approved → executing; False when it is not approved (any more)."""
    changed = connection.execute(
        update(plans)
        .where(plans.c.id == plan_id, plans.c.state == PlanState.APPROVED)
        .values(state=PlanState.EXECUTING, stop_reason=None)
    ).rowcount
    if changed:
        write_journal(connection, "plan_executing", actor=actor, subject=plan_id)
    return bool(changed)


def intend(
    connection: Connection, plan_id: str, asset_ids: Sequence[int], *, actor: str | None
) -> None:
    """These assets are about to be deleted: until the source is looked at, nobody knows."""
    connection.execute(
        update(plan_items)
        .where(plan_items.c.plan_id == plan_id, plan_items.c.asset_id.in_(asset_ids))
        .values(state=PlanItemState.UNKNOWN, reason="interrupted")
    )
    write_journal(
        connection,
        "free_intent",
        actor=actor,
        subject=plan_id,
        detail={"assets": list(asset_ids)},
    )


def items_in(
    connection: Connection, plan_id: str, states: Sequence[PlanItemState]
) -> Sequence[Row[Any]]:
    """The plan's assets in these states, in the order they are to be freed (oldest first)."""
    return connection.execute(
        select(plan_items, assets.c.key, assets.c.captured)
        .join(assets, assets.c.id == plan_items.c.asset_id)
        .where(plan_items.c.plan_id == plan_id, plan_items.c.state.in_(states))
        .order_by(assets.c.captured, assets.c.id)
    ).all()


def items_to_undo(connection: Connection, plan_id: str) -> Sequence[Row[Any]]:
    """The plan's assets that it freed, or may have freed; none that only another plan freed."""
    other = plan_items.alias()
    by_another = exists().where(
        other.c.asset_id == plan_items.c.asset_id,
        other.c.plan_id != plan_id,
        other.c.state == PlanItemState.FREED,
    )
    unsure = plan_items.c.state.in_([PlanItemState.UNKNOWN, PlanItemState.FAILED])
    return connection.execute(
        select(plan_items, assets.c.key, assets.c.captured)
        .join(assets, assets.c.id == plan_items.c.asset_id)
        .where(
            plan_items.c.plan_id == plan_id,
            or_(plan_items.c.state == PlanItemState.FREED, and_(unsure, ~by_another)),
        )
        .order_by(assets.c.captured, assets.c.id)
    ).all()


def set_item(
    connection: Connection,
    plan_id: str,
    asset_id: int,
    state: PlanItemState,
    *,
    reason: str | None = None,
    purge_at: int | None = None,
    actor: str | None = None,
) -> None:
    """What became of one asset, with a journal entry."""
    connection.execute(
        update(plan_items)
        .where(plan_items.c.plan_id == plan_id, plan_items.c.asset_id == asset_id)
        .values(state=state, reason=reason, purge_at=purge_at)
    )
    if state is PlanItemState.FREED:
        connection.execute(
            update(assets)
            .where(assets.c.id == asset_id)
            .values(state=SourceState.TRASHED, purge_at=purge_at)
        )
    elif state is PlanItemState.UNDONE:
        connection.execute(
            update(assets)
            .where(assets.c.id == asset_id)
            .values(state=SourceState.PRESENT, purge_at=None)
        )
    write_journal(
        connection,
        f"asset_{state}",
        actor=actor,
        subject=f"asset/{asset_id}",
        detail={"plan": plan_id, "reason": reason},
    )


def recover_plans(connection: Connection) -> int:
    """Plans that a crash cut off are stopped; what became of their assets must be looked up."""
    running = select(plans.c.id).where(plans.c.state == PlanState.EXECUTING)
    connection.execute(
        update(plan_items)
        .where(plan_items.c.plan_id.in_(running), plan_items.c.state == PlanItemState.PROPOSED)
        .values(state=PlanItemState.UNKNOWN, reason="interrupted")
    )
    result = connection.execute(
        update(plans)
        .where(plans.c.state == PlanState.EXECUTING)
        .values(state=PlanState.STOPPED, stop_reason="interrupted", ended=now_ms())
    )
    return result.rowcount


def unknown_items(connection: Connection) -> Sequence[Row[Any]]:
    """Assets of any plan for which nobody knows whether the source deleted them."""
    return connection.execute(
        select(plan_items, assets.c.key)
        .join(assets, assets.c.id == plan_items.c.asset_id)
        .where(plan_items.c.state == PlanItemState.UNKNOWN)
    ).all()


def originals_of(connection: Connection, asset_id: int) -> Sequence[Row[Any]]:
    """The current original-class resources of an asset."""
    return connection.execute(
        select(resources).where(
            resources.c.asset_id == asset_id,
            resources.c.current,
            resources.c.role.in_(ORIGINAL_ROLES),
        )
    ).all()
