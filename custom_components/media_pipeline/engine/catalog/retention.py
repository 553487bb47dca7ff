"""Copies that no longer belong at their target: since when, and whether they may be deleted there.

A copy belongs while its asset is at the source, or was freed from there by us, and the target's
rules let it through.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    delete,
    distinct,
    exists,
    func,
    or_,
    select,
    update,
)

from ..clock import now_ms
from ..model import ORIGINAL_ROLES, CopyState, PlanItemState, ResourceState, SourceState
from ..rules import TargetRules
from .chosen import chosen
from .left import ASIDE
from .protection import Ground
from .schema import assets, copies, plan_items, resources, targets
from .store import write_journal

OUTSIDE: Final = "outside"
"""In ``copies.left_how``: it no longer belongs, since ``copies.left_at``."""
MOVED: Final = "aside"
"""It was moved aside at ``copies.left_at``."""
_RULES: Final = "target rules"
"""Who asked for a deletion, for the journal."""


def _belonging(connection: Connection, rules: TargetRules) -> ColumnElement[bool]:
    """A condition on ``copies``."""
    freed = exists().where(
        plan_items.c.asset_id == assets.c.id,
        plan_items.c.state.in_([PlanItemState.FREED, PlanItemState.UNKNOWN]),
    )
    return copies.c.resource_id.in_(
        select(resources.c.id)
        .join(assets, assets.c.id == resources.c.asset_id)
        .where(or_(assets.c.state == SourceState.PRESENT, freed), chosen(connection, rules))
    )


def note_outside(connection: Connection, target_id: str, rules: TargetRules) -> None:
    """Note since when copies do not belong; those that belong again are as before."""
    belongs = _belonging(connection, rules)
    here = and_(copies.c.target_id == target_id, copies.c.state == CopyState.VERIFIED)
    connection.execute(
        update(copies)
        .where(here, copies.c.left_at.is_(None), ~belongs)
        .values(left_at=now_ms(), left_how=OUTSIDE)
    )
    connection.execute(
        update(copies)
        .where(here, copies.c.left_at.is_not(None), belongs)
        .values(left_at=None, left_how=None)
    )


def forget_returned(connection: Connection, target_id: str, rules: TargetRules) -> int:
    """What was deleted at a target and belongs there again is sent again; returns how many."""
    gone = and_(
        copies.c.target_id == target_id,
        copies.c.state == CopyState.DROPPED,
        copies.c.path.is_(None),
    )
    return connection.execute(delete(copies).where(gone, _belonging(connection, rules))).rowcount


def left_before(
    connection: Connection, target_id: str, how: str, before: int, after: int, limit: int
) -> Sequence[Row[Any]]:
    """(id, path, resource_id, asset_id) of proven copies that left so, by id from ``after`` on."""
    return connection.execute(
        select(copies.c.id, copies.c.path, copies.c.resource_id, resources.c.asset_id)
        .join(resources, resources.c.id == copies.c.resource_id)
        .where(
            copies.c.target_id == target_id,
            copies.c.state == CopyState.VERIFIED,
            copies.c.left_how == how,
            copies.c.left_at <= before,
            copies.c.path.is_not(None),
            copies.c.id > after,
            resources.c.current,
        )
        .order_by(copies.c.id)
        .limit(limit)
    ).all()


def set_aside(connection: Connection, copy_id: int, path: str) -> None:
    """A copy lies aside, at ``path``, from now on."""
    connection.execute(
        update(copies)
        .where(copies.c.id == copy_id)
        .values(path=path, left_at=now_ms(), left_how=MOVED)
    )
    write_journal(connection, "copy_archived", subject=f"copy/{copy_id}", detail={"to": path})


def drop(
    connection: Connection, copy_id: int, before: int, rules: TargetRules, ground: Ground
) -> bool:
    """Give a copy up, if it may be deleted; its file is still there.

    Judged and written in one transaction, so that no two targets rely on each other's copy.
    """
    row = connection.execute(
        select(
            copies,
            resources.c.asset_id,
            resources.c.state.label("archive_state"),
            resources.c.sha256.label("wanted_sha256"),
            assets.c.state.label("asset_state"),
            _belonging(connection, rules).label("belongs"),
        )
        .join(resources, resources.c.id == copies.c.resource_id)
        .join(assets, assets.c.id == resources.c.asset_id)
        .where(copies.c.id == copy_id)
    ).one()
    if (
        row.belongs
        or row.state != CopyState.VERIFIED
        or (row.left_how, row.left_at is not None and row.left_at <= before) != (MOVED, True)
        or not row.path.startswith(f"{ASIDE}/")
        or row.sha256 != row.wanted_sha256
        or row.archive_state != ResourceState.ARCHIVED
    ):
        return False
    # all of an asset goes, or nothing
    originals = connection.execute(
        select(resources).where(
            resources.c.asset_id == row.asset_id,
            resources.c.current,
            resources.c.role.in_(ORIGINAL_ROLES),
        )
    ).all()
    if not originals or not all(
        original.state == ResourceState.ARCHIVED
        and _enough_without(connection, row.target_id, original, ground)
        for original in originals
    ):
        return False
    connection.execute(update(copies).where(copies.c.id == copy_id).values(state=CopyState.DROPPED))
    left_source = row.asset_state != SourceState.PRESENT
    write_journal(
        connection,
        "copy_deleted",
        actor=_RULES,
        subject=f"copy/{copy_id}",
        detail={
            "target": row.target_id,
            "path": row.path,
            "why": "deleted_at_source" if left_source else "outside_the_rules",
            "aside_since": row.left_at,
        },
    )
    return True


def _enough_without(
    connection: Connection, target_id: str, original: Row[Any], ground: Ground
) -> bool:
    """Whether the archive (which has it) and other targets hold enough proven copies of a file."""
    mine = select(targets.c.domain).where(targets.c.id == target_id).scalar_subquery()
    count, off_machine = connection.execute(
        select(func.count(distinct(targets.c.domain)), func.max(targets.c.off_machine))
        .select_from(copies)
        .join(targets, targets.c.id == copies.c.target_id)
        .where(
            copies.c.resource_id == original.id,
            copies.c.target_id != target_id,
            copies.c.state == CopyState.VERIFIED,
            copies.c.sha256 == original.sha256,
            copies.c.proven_at >= ground.proven_since,
            targets.c.removed.is_(False),
            targets.c.counts.is_(True),
            targets.c.domain.is_not(None),
            targets.c.domain != ground.archive_domain,
            targets.c.domain.is_distinct_from(mine),
        )
    ).one()
    safety = ground.safety
    off = not safety.require_off_machine or ground.archive_off_machine or bool(off_machine)
    return off and count + 1 >= max(1, safety.required_copies)


def dropped(connection: Connection, target_id: str) -> Sequence[Row[Any]]:
    """(id, path) of copies that were given up and whose files are to be deleted."""
    return connection.execute(
        select(copies.c.id, copies.c.path).where(
            copies.c.target_id == target_id,
            copies.c.state == CopyState.DROPPED,
            copies.c.path.is_not(None),
        )
    ).all()


def deleted(connection: Connection, copy_id: int) -> None:
    """The file of a copy that was given up is gone."""
    connection.execute(update(copies).where(copies.c.id == copy_id).values(path=None))
