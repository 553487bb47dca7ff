"""Who is protected, and why an asset may not be freed: one query for the numbers and the plan."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    and_,
    case,
    distinct,
    exists,
    func,
    literal,
    or_,
    select,
)

from ..clock import DAY, now_ms
from ..config import SafetyConfig
from ..model import ORIGINAL_ROLES, CopyState, ResourceState, SourceState
from .schema import assets, copies, resources, targets

# Made once: see hand_off.
_OTHER = assets.alias("burst_others")
_FILES = resources.alias("burst_files")


@dataclass(frozen=True, slots=True)
class Ground:
    """What protection is judged by."""

    safety: SafetyConfig
    archive_domain: str
    archive_off_machine: bool
    can_free: bool
    """False for a source that can't free anything."""
    shared_prefix: str = "SharedSync-"
    proven_since: int = 0
    """Copies proven before this time count for nothing (cleanup asks so, the numbers do not)."""


def flag(condition: Any) -> Any:
    """1 or 0, so that sums and minima are numbers and not truth values."""
    return case((condition, 1), else_=0)


def _per_resource(ground: Ground, only: int | None) -> Any:
    """One row per current original: how many independent proven copies hold its very bytes."""
    chosen = [resources.c.current, resources.c.role.in_(ORIGINAL_ROLES)]
    if only is not None:
        chosen.append(resources.c.asset_id == only)
    proven = and_(
        copies.c.resource_id == resources.c.id,
        copies.c.state == CopyState.VERIFIED,
        copies.c.sha256 == resources.c.sha256,
        copies.c.proven_at >= ground.proven_since,
    )
    counts = and_(
        targets.c.id == copies.c.target_id,
        targets.c.removed.is_(False),
        targets.c.counts.is_(True),
        targets.c.domain.is_not(None),
        targets.c.domain != ground.archive_domain,
    )
    is_archived = resources.c.state == ResourceState.ARCHIVED
    return (
        select(
            resources.c.asset_id,
            resources.c.size,
            flag(is_archived).label("archived"),
            flag(resources.c.state == ResourceState.QUARANTINED).label("quarantined"),
            flag(resources.c.checksum_known).label("checksum_known"),
            (func.count(distinct(targets.c.domain)) + flag(is_archived)).label("copies"),
            func.max(flag(targets.c.off_machine.is_(True))).label("off_machine"),
        )
        .select_from(resources)
        .outerjoin(copies, proven)
        .outerjoin(targets, counts)
        .where(*chosen)
        .group_by(resources.c.id)
        .subquery("per_resource")
    )


@cache
def _burst_lacks() -> Any:
    """True for a photo of a burst while another one of it that we know is not archived.

    The library shows what was picked of a burst; freeing that while the rest is only in iCloud
    would leave nobody knowing of the rest.
    """
    waits = exists().where(
        _FILES.c.asset_id == _OTHER.c.id,
        _FILES.c.current,
        _FILES.c.role.in_(ORIGINAL_ROLES),
        _FILES.c.state != ResourceState.ARCHIVED,
    )
    return and_(
        assets.c.burst_id.is_not(None),
        exists().where(
            _OTHER.c.burst_id == assets.c.burst_id,
            _OTHER.c.library == assets.c.library,
            _OTHER.c.id != assets.c.id,
            _OTHER.c.state == SourceState.PRESENT,
            or_(~_OTHER.c.record_saved, _OTHER.c.incomplete.is_not(None), waits),
        ),
    )


def per_asset(ground: Ground, only: int | None = None) -> Any:
    """One row per asset with its numbers and the first reason that keeps it from being freed.

    ``only`` is the id of one asset; without it the whole library is looked at.
    """
    inner = _per_resource(ground, only)
    each = (
        select(
            inner.c.asset_id,
            func.sum(inner.c.size).label("bytes"),
            func.min(inner.c.archived).label("archived"),
            func.max(inner.c.quarantined).label("quarantined"),
            func.min(inner.c.checksum_known).label("checksum_known"),
            func.min(inner.c.copies).label("copies"),
            func.min(inner.c.off_machine).label("off_machine"),
        )
        .group_by(inner.c.asset_id)
        .subquery("each")
    )
    safety = ground.safety
    youngest = func.max(
        assets.c.captured, assets.c.added, func.coalesce(assets.c.modified, assets.c.added)
    )
    cutoff = now_ms() - safety.min_age_days * DAY
    no_off_machine = and_(
        literal(safety.require_off_machine and not ground.archive_off_machine),
        each.c.off_machine == 0,
    )
    reason = case(
        (literal(not ground.can_free), "not_supported_by_source"),
        (assets.c.library.startswith(ground.shared_prefix), "shared_library"),
        (assets.c.incomplete.is_not(None), "incomplete"),
        (or_(each.c.asset_id.is_(None), each.c.quarantined == 1), "quarantined"),
        (each.c.archived == 0, "not_archived"),
        (~assets.c.record_saved, "record_not_saved"),
        (_burst_lacks(), "burst_not_archived"),
        (each.c.checksum_known == 0, "unknown_checksum"),
        (each.c.copies < max(1, safety.required_copies), "too_few_copies"),
        (no_off_machine, "no_copy_off_this_machine"),
        (and_(literal(safety.protect_favorites), assets.c.favorite), "protected_favorite"),
        (and_(literal(safety.protect_hidden), assets.c.hidden), "protected_hidden"),
        (or_(assets.c.captured.is_(None), assets.c.added.is_(None)), "unknown_date"),
        (youngest > cutoff, "too_young"),
        else_=None,
    )
    return (
        select(
            assets.c.id,
            assets.c.key,
            assets.c.asset_tag,
            assets.c.master_tag,
            assets.c.captured,
            func.coalesce(each.c.bytes, 0).label("bytes"),
            func.coalesce(each.c.archived, 0).label("archived"),
            func.coalesce(each.c.quarantined, 0).label("quarantined"),
            flag(each.c.copies >= max(1, safety.required_copies)).label("protected"),
            reason.label("reason"),
        )
        .select_from(assets)
        .outerjoin(each, each.c.asset_id == assets.c.id)
        .where(assets.c.state == SourceState.PRESENT)
        .subquery("per_asset")
    )


def eligible(connection: Connection, ground: Ground, limit: int) -> Sequence[Row[Any]]:
    """Assets that may be freed, oldest first."""
    asset = per_asset(ground)
    query: Select[Any] = (
        select(asset)
        .where(asset.c.reason.is_(None))
        .order_by(asset.c.captured, asset.c.id)
        .limit(limit)
    )
    return connection.execute(query).all()


def reason_of(connection: Connection, ground: Ground, asset_id: int) -> str | None:
    """Why one asset may not be freed; None when it may, ``not_present`` when it is gone."""
    asset = per_asset(ground, asset_id)
    row = connection.execute(select(asset.c.reason).where(asset.c.id == asset_id)).first()
    return "not_present" if row is None else row.reason


def refusals(connection: Connection, ground: Ground) -> dict[str, int]:
    """Reason → number of assets that may not be freed for it."""
    asset = per_asset(ground)
    rows = connection.execute(
        select(asset.c.reason, func.count())
        .where(asset.c.reason.is_not(None))
        .group_by(asset.c.reason)
    )
    return {row[0]: row[1] for row in rows}
