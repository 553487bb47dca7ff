"""After a cleanup: what became of assets whose answer was lost, and bringing assets back."""

from functools import partial

from ..catalog import plans
from ..catalog.database import Catalog
from ..catalog.store import write_journal
from ..errors import CleanupStopped, NotSupportedBySource
from ..model import PlanItemState, PlanState
from ..sources.base import Source
from .base import StageContext, patiently

_BATCH = 100


async def resolve_unknown(catalog: Catalog, source: Source) -> None:
    """Look up what became of assets whose answer was lost (a crash, a broken connection)."""
    items = await catalog.read(plans.unknown_items)
    for start in range(0, len(items), _BATCH):
        batch = items[start : start + _BATCH]
        records = await source.lookup([item.key for item in batch])
        for item in batch:
            if item.key not in records:
                continue
            record = records[item.key]
            trashed = record is not None and record.trashed
            await catalog.write(
                plans.set_item,
                item.plan_id,
                item.asset_id,
                PlanItemState.FREED if trashed else PlanItemState.FAILED,
                reason=item.reason,
            )


async def undo(context: StageContext, plan_id: str, actor: str | None) -> int:
    """Restore a plan's deleted assets; returns how many. Raises CleanupStopped when some failed."""
    if not context.source.can_free:
        raise NotSupportedBySource
    await patiently(context, context.source.open)
    items = await context.catalog.read(plans.items_to_undo, plan_id)
    keys = [item.key for item in items]
    records = await patiently(context, partial(context.source.lookup, keys))
    trashed = [item for item in items if (r := records.get(item.key)) is not None and r.trashed]
    # silence is no "restored": these stay as they are, and undo may be asked for again
    failed = ["not_answered" for item in items if item.key not in records]
    failed += [
        "gone"
        for item in items
        if item.state == PlanItemState.FREED and records.get(item.key, item) is None
    ]
    await context.catalog.write(
        write_journal,
        "undo_intent",
        actor=actor,
        subject=plan_id,
        detail={"assets": [item.asset_id for item in trashed]},
    )
    answers = {a.key: a for a in await context.source.restore([item.key for item in trashed])}
    for item in items:
        record = records.get(item.key)
        if item.state == PlanItemState.FREED and record is not None and not record.trashed:
            # brought back by hand, or by an undo that did not live to write it down
            await context.catalog.write(
                plans.set_item, plan_id, item.asset_id, PlanItemState.UNDONE, actor=actor
            )
    for item in trashed:
        answer = answers.get(item.key)
        if answer is None or answer.outcome != "ok":
            failed.append(answer.outcome if answer else "unknown")
            continue
        await context.catalog.write(
            plans.set_item, plan_id, item.asset_id, PlanItemState.UNDONE, actor=actor
        )
    if failed:
        raise CleanupStopped(f"{len(failed)} assets were not restored", reason=failed[0])
    await context.catalog.write(plans.set_plan_state, plan_id, PlanState.UNDONE, actor=actor)
    return len(trashed)
