"""Retention: what no longer belongs at a target is moved aside, and later deleted, if it may be.

Off unless the target's rules say so. It is the only way in which a copy is ever deleted, and only
one of ours, proven right before, of bytes that the archive and enough other places have, too.
"""

import logging
from collections.abc import Sequence
from typing import Any, Final

from ..catalog import retention, scrub, work
from ..catalog.copy_results import old_proofs
from ..catalog.left import ASIDE
from ..catalog.manifests import ARCHIVE
from ..catalog.protection import Ground
from ..clock import DAY, SECOND, now_ms
from ..config import TargetConfig
from ..errors import PipelineError, TargetUnavailableError
from ..model import ResourceState
from ..targets.base import MovingTarget, Target
from .base import StageContext
from .proving import prove_archived, prove_copies, wrong_among

_LOGGER = logging.getLogger(__name__)
_BATCH: Final = 100


async def retain(context: StageContext, config: TargetConfig, target: Target) -> None:
    """If the target's rules want it. Raises what stops the target, or the archive."""
    rules = config.rules
    if not rules.delete_days or config.hand_off:
        return
    if not isinstance(target, MovingTarget):
        _LOGGER.info("target %s can't move files: they stay where they are", config.target_id)
        return
    await context.catalog.write(retention.note_outside, config.target_id, rules)
    await _move_aside(context, config, target, target)
    if not context.targets.anything_held:
        await _delete(context, config, target)


async def _move_aside(
    context: StageContext, config: TargetConfig, target: Target, mover: MovingTarget
) -> None:
    before = now_ms() - max(1, config.rules.keep_days) * DAY
    async for row in _rows(context, config.target_id, retention.OUTSIDE, before):
        to = row.path
        if not to.startswith(f"{ASIDE}/"):
            to = f"{ASIDE}/{row.path}"
            try:
                if not await mover.move(row.path, to):
                    continue
            except TargetUnavailableError:
                raise
            except PipelineError as err:
                _LOGGER.warning("a copy stays where it is: %s (%s)", err.key, err.detail)
                continue
        await context.catalog.write(retention.set_aside, row.id, to)


async def _rows(context: StageContext, target_id: str, how: str, before: int) -> Any:
    after = 0
    while rows := await context.catalog.read(
        retention.left_before, target_id, how, before, after, _BATCH
    ):
        after = rows[-1].id
        for row in rows:
            await context.control.checkpoint()
            yield row


async def _delete(context: StageContext, config: TargetConfig, target: Target) -> None:
    before = now_ms() - config.rules.delete_days * DAY
    count = 0
    async for row in _rows(context, config.target_id, retention.MOVED, before):
        if not await _is_ours_still(context, target, row):
            continue
        await _renew_others(context, config.target_id, [row.asset_id])
        ground = Ground(
            safety=context.config.safety,
            archive_domain=context.archive.domain,
            archive_off_machine=context.config.archive_off_machine,
            can_free=False,
            proven_since=_proven_since(context) - 60 * SECOND,
        )
        if await context.catalog.write(retention.drop, row.id, before, config.rules, ground):
            count += 1
    for row in await context.catalog.read(retention.dropped, config.target_id):
        await target.delete(row.path)
        await context.catalog.write(retention.deleted, row.id)
    if count:
        _LOGGER.info("target %s: %d copies no longer belonged there", config.target_id, count)


async def _is_ours_still(context: StageContext, target: Target, row: Any) -> bool:
    """Whether the file aside is the one we left, and the archive really has its bytes."""
    found = await context.catalog.read(scrub.copies_by_id, [row.id])
    if not found or await wrong_among(context, target, found):
        return False  # verify says so, and mends it
    archived = await context.catalog.read(work.resource, row.resource_id)
    if archived is None or archived.path is None or archived.state != ResourceState.ARCHIVED:
        return False
    try:
        return await prove_archived(context, archived) is not None
    except PipelineError as err:  # that is not the target's trouble
        context.problem(ARCHIVE, err)
        return False


def _proven_since(context: StageContext) -> int:
    return now_ms() - context.config.safety.max_proof_age_days * DAY


async def _renew_others(context: StageContext, target_id: str, asset_ids: Sequence[int]) -> None:
    """Prove copies at other targets whose proof is older than freeing allows."""
    others = [
        other.target_id
        for other in context.targets.configs.values()
        if other.target_id != target_id
        and not other.hand_off
        and other.target_id not in context.problems
        and context.targets.may_use(other.target_id)
    ]
    rows = await context.catalog.read(old_proofs, asset_ids, others, _proven_since(context))
    for other in dict.fromkeys(row.target_id for row in rows):
        try:
            reached = await context.targets.get(other)
            await prove_copies(context, reached, [row for row in rows if row.target_id == other])
        except TargetUnavailableError as err:  # what is not proven counts for nothing
            _LOGGER.info("target %s can't be asked: %s", other, err.key)
