"""Cleanup: free what an approved plan names, and only after looking at everything again.

An asset is deleted at the source only when, immediately before: its fresh records carry the change
tags that were planned and list no file that the archive lacks; the archived bytes were read back
and match SHA-256, length and Apple's checksum; and enough copies are proven within the allowed age.
The first answer that is not plainly "done" stops the plan.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, select

from ..catalog import plans
from ..catalog.database import Catalog
from ..catalog.protection import Ground, reason_of
from ..catalog.schema import assets, copies, resources
from ..catalog.store import write_journal
from ..checksums import is_known_apple_scheme
from ..clock import DAY, SECOND, now_ms
from ..errors import (
    CleanupStopped,
    NotSupportedBySource,
    PipelineError,
    TargetUnavailableError,
)
from ..model import (
    ORIGINAL_ROLES,
    AssetRecord,
    CopyState,
    FreeResult,
    PlanItemState,
    PlanState,
    Role,
    Stage,
)
from ..sources.base import FreeRequest, Source
from .base import StageContext
from .verify import prove_archived, prove_copies

_LOGGER = logging.getLogger(__name__)
_BATCH = 100


class Cleanup:
    """Executes one plan. A dry run looks at everything and deletes nothing."""

    stage = Stage.CLEANUP

    def __init__(self, plan_id: str, ground: Ground, *, dry_run: bool, actor: str | None) -> None:
        """The caller has checked the plan's state and digest."""
        self._plan_id = plan_id
        self._ground = ground
        self._dry_run = dry_run
        self._actor = actor
        self.refused: Counter[str] = Counter()
        self.passed = 0
        self._began = now_ms()

    async def run(self, context: StageContext) -> None:
        """Canary first, then batches. Raises CleanupStopped and what the source raises."""
        if not context.source.can_free:
            raise NotSupportedBySource
        await context.source.open()
        items = await context.catalog.read(plans.items_in, self._plan_id, [PlanItemState.PROPOSED])
        canary = max(1, context.config.safety.canary)
        start, size = 0, canary
        while start < len(items):
            left = items[start:]
            context.progress.waiting(self.stage, len(left), sum(item.bytes for item in left))
            await context.control.checkpoint()
            await self._batch(context, items[start : start + size])
            start, size = start + size, _BATCH
        context.progress.waiting(self.stage, 0, 0)

    async def _batch(self, context: StageContext, items: Sequence[Any]) -> None:
        await self._renew_proofs(context, [item.asset_id for item in items])
        await asyncio.to_thread(context.archive.check)
        fresh = await context.source.lookup([item.key for item in items])
        requests: dict[str, tuple[Any, FreeRequest]] = {}
        for item in items:
            record = fresh.get(item.key)
            if item.key in fresh:
                reason = await self._reason_against(context, item, record)
            else:
                reason = "not_answered"
            if reason is not None:
                await self._refuse(context, item, reason)
                continue
            assert record is not None  # noqa: S101 - a missing record is a reason
            self.passed += 1
            context.progress.done(self.stage, item.bytes)
            requests[item.key] = (item, FreeRequest(item.key, record.asset_tag or ""))
        if requests and not self._dry_run:
            await self._free(context, requests)

    async def _reason_against(
        self, context: StageContext, item: Any, record: AssetRecord | None
    ) -> str | None:
        """Every gate; None when the asset may be deleted now."""
        if record is None:
            return "gone"
        if record.trashed:
            return "already_deleted"
        if record.asset_tag is None or record.asset_tag != item.asset_tag:
            return "changed_since_plan"
        if record.master_tag != item.master_tag:
            return "changed_since_plan"
        if record.incomplete is not None:
            return "incomplete"
        safety = self._ground.safety
        if safety.protect_favorites and record.favorite:
            return "protected_favorite"
        if safety.protect_hidden and record.hidden:
            return "protected_hidden"
        ground = replace(self._ground, proven_since=self._proven_since(context))
        reason = await context.catalog.read(reason_of, ground, item.asset_id)
        if reason is not None:
            return reason
        return await self._compare_files(context, item, record)

    async def _compare_files(
        self, context: StageContext, item: Any, record: AssetRecord
    ) -> str | None:
        """Compare what the source lists now with what the archive really holds."""
        rows = {
            Role(row.role): row
            for row in await context.catalog.read(plans.originals_of, item.asset_id)
        }
        listed = {file.role: file for file in record.resources if file.role in ORIGINAL_ROLES}
        if set(listed) != set(rows) or Role.ORIGINAL not in listed:
            return "files_changed"
        for role, file in listed.items():
            row = rows[role]
            if not is_known_apple_scheme(file.checksum):
                return "unknown_checksum"
            if file.checksum != row.checksum or file.size != row.size:
                return "files_changed"
            digest = await prove_archived(context, row, apple=True)
            if digest is None:
                # damage in the archive is no reason to skip one asset, but to stop
                raise CleanupStopped("an archived file is damaged", reason="archive_damaged")
            if digest.size != file.size or digest.apple != file.checksum:
                return "archive_differs_from_source"
        return None

    async def _renew_proofs(self, context: StageContext, asset_ids: Sequence[int]) -> None:
        """Prove copies again whose proof is older than allowed; a lost one stops the plan."""
        # a minute ahead, so that no proof grows too old between here and the question below
        before = self._proven_since(context) + 60 * SECOND
        targets = list(context.targets.configs)
        rows = await context.catalog.read(_old_proofs, asset_ids, targets, before)
        by_target: dict[str, list[Any]] = {}
        for row in rows:
            by_target.setdefault(row.target_id, []).append(row)
        lost = 0
        for target_id, old in by_target.items():
            try:
                target = await context.targets.get(target_id)
                lost += await prove_copies(context, target, old)
            except TargetUnavailableError as err:
                context.problem(target_id, err)
                await context.targets.failed(target_id, err)
        if lost:
            raise CleanupStopped(f"{lost} copies are lost or changed", reason="copy_lost")

    def _proven_since(self, context: StageContext) -> int:
        """Copies proven before this do not count. With an age of 0 days: before this cleanup."""
        return min(self._began, now_ms() - context.config.safety.max_proof_age_days * DAY)

    async def _refuse(self, context: StageContext, item: Any, reason: str) -> None:
        self.refused[reason] += 1
        context.progress.failed(self.stage, item.asset_id)
        if self._dry_run:
            return
        await context.catalog.write(
            plans.set_item,
            self._plan_id,
            item.asset_id,
            PlanItemState.REFUSED,
            reason=reason,
            actor=self._actor,
        )

    async def _free(
        self, context: StageContext, requests: dict[str, tuple[Any, FreeRequest]]
    ) -> None:
        # written down, and on the disk, before anything is asked for: whatever ends this process or
        # this task from here on, these assets are looked up again and undo knows them
        await context.catalog.write(
            plans.intend,
            self._plan_id,
            [item.asset_id for item, _ in requests.values()],
            actor=self._actor,
        )
        await context.catalog.flush()
        try:
            answers = await context.source.free([request for _, request in requests.values()])
        except PipelineError as err:
            answers = [FreeResult(key, "unknown", err.key) for key in requests]
        by_key = {answer.key: answer for answer in answers}
        # the answer is not believed: what the source holds afterwards is looked at
        after = await self._look_again(context, list(requests))
        unexpected: list[str] = []
        for key, (item, _) in requests.items():
            answer = by_key.get(key, FreeResult(key, "unknown", "no answer"))
            record = after.get(key)
            trashed = record is not None and record.trashed
            if answer.outcome == "ok" and trashed:
                state, reason = PlanItemState.FREED, None
            else:
                reason = answer.outcome if answer.outcome != "ok" else "not_deleted"
                unexpected.append(reason)
                # deleted after all, although the answer was lost: undo must know
                state = PlanItemState.FREED if trashed else PlanItemState.FAILED
                if key not in after:
                    state = PlanItemState.UNKNOWN
            await context.catalog.write(
                plans.set_item,
                self._plan_id,
                item.asset_id,
                state,
                reason=reason,
                purge_at=answer.purge_at,
                actor=self._actor,
            )
        if unexpected:
            raise CleanupStopped(f"unexpected answers: {unexpected[:5]}", reason=unexpected[0])

    @staticmethod
    async def _look_again(
        context: StageContext, keys: Sequence[str]
    ) -> dict[str, AssetRecord | None]:
        try:
            return await context.source.lookup(keys, urgent=True)
        except PipelineError as err:
            _LOGGER.warning("could not look at the result of a delete: %s", err.key)
            return {}


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
    await context.source.open()
    items = await context.catalog.read(plans.items_to_undo, plan_id)
    records = await context.source.lookup([item.key for item in items])
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


def _old_proofs(
    connection: Connection, asset_ids: Sequence[int], target_ids: Sequence[str], before: int
) -> Sequence[Any]:
    return connection.execute(
        select(copies, resources.c.sha256.label("wanted_sha256"))
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
