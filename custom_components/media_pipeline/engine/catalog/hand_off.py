"""What is handed over: which files never are, and which were already in another shape."""

from typing import Any

from sqlalchemy import and_, exists, literal_column, or_, select

from ..model import DERIVED_ROLES, WRITTEN_ROLES, CopyState, Role
from .schema import copies, resources, targets

# A word the planner can compare with the partial index; a bound value it can't.
_IS_DELIVERED = literal_column("copies_before.state") == literal_column("'delivered'")


def not_for_hand_off(target_id: str) -> Any:
    """A condition on resources that is true for every target that counts.

    A hand-off never gets our own records and sidecars, nor bytes that it was given before under
    another name, nor another version that we made of what it was given: it would be a second photo
    there.
    """
    counts = select(targets.c.counts).where(targets.c.id == target_id).scalar_subquery()
    return or_(
        counts,
        and_(
            resources.c.role.not_in([*WRITTEN_ROLES, Role.SIDECAR]),
            ~_same_bytes(target_id),
            ~_made_again(target_id),
        ),
    )


def _same_bytes(target_id: str) -> Any:
    before = copies.alias("copies_before")
    return exists().where(
        before.c.target_id == target_id,
        before.c.sha256 == resources.c.sha256,
        before.c.resource_id != resources.c.id,
        _IS_DELIVERED,
    )


def _made_again(target_id: str) -> Any:
    before, other = copies.alias(), resources.alias()
    return and_(
        resources.c.role.in_(DERIVED_ROLES),
        exists().where(
            other.c.asset_id == resources.c.asset_id,
            other.c.role == resources.c.role,
            other.c.derived_from.is_not_distinct_from(resources.c.derived_from),
            other.c.id != resources.c.id,
            before.c.resource_id == other.c.id,
            before.c.target_id == target_id,
            before.c.state.in_([CopyState.DELIVERED, CopyState.HANDING]),
        ),
    )
