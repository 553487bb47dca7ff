"""Cleanup: free what an approved plan names, and only after looking at everything again.

An asset is deleted at the source only when, immediately before: its fresh records carry the change
tags that were planned and list no file that the archive lacks; the archived bytes were read back
and match SHA-256, length and Apple's checksum; and enough copies are proven within the allowed age.
The first answer that is not plainly "done" stops the plan. Only "slow down" does not, when the wait
is short: what was not deleted then is looked at anew, and asked for again.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ..catalog import plans
from ..catalog.copy_results import old_proofs
from ..catalog.protection import Ground, reason_of
from ..checksums import is_known_apple_scheme
from ..clock import DAY, SECOND, now_ms
from ..errors import (
    CleanupStopped,
    CleanupThrottled,
    HeldBack,
    NotSupportedBySource,
    PipelineError,
    ReadsWrong,
    TargetUnavailableError,
    ThrottledError,
)
from ..model import (
    ORIGINAL_ROLES,
    AssetRecord,
    FreeResult,
    PlanItemState,
    Role,
    Stage,
)
from ..sources.base import FreeRequest
from .base import StageContext, patiently
from .proving import prove_archived, prove_copies

_LOGGER = logging.getLogger(__name__)
_BATCH = 100
# So often in a row may a batch be told to slow down; the waits grow meanwhile, see pacing.py.
_PATIENCE = 8
_GIVE_UP = 3600.0


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
        self._asked: set[int] = set()
        self._began = now_ms()

    async def run(self, context: StageContext) -> None:
        """Canary first, then batches. Raises CleanupStopped and what the source raises.

        HeldBack (a dry run) and CleanupThrottled say until when Apple wants no request.
        """
        if not context.source.can_free:
            raise NotSupportedBySource
        try:
            await patiently(context, context.source.open)
            await self._batches(context)
        except ThrottledError as err:  # a long one: short ones are waited for
            kind = HeldBack if self._dry_run else CleanupThrottled
            raise kind(err.detail, until=time.time() + err.retry_after) from err

    async def _batches(self, context: StageContext) -> None:
        proposed = [PlanItemState.PROPOSED]
        left = list(await context.catalog.read(plans.items_in, self._plan_id, proposed))
        size, in_a_row = max(1, context.config.safety.canary), 0
        while left:
            context.progress.waiting(self.stage, len(left), sum(item.bytes for item in left))
            await context.control.checkpoint()
            try:
                again = await self._batch(context, left[:size])
                in_a_row = in_a_row + 1 if again else 0
                if in_a_row > _PATIENCE:
                    raise ThrottledError("again and again", retry_after=_GIVE_UP)
            except ThrottledError:
                await self._give_up(context, left)
                raise
            left = [*again, *left[size:]]
            if not again:
                size = _BATCH
        context.progress.waiting(self.stage, 0, 0)

    async def _batch(self, context: StageContext, items: Sequence[Any]) -> list[Any]:
        """Free these; returns those that Apple was too busy for, none of which it deleted."""
        if context.targets.anything_held:
            raise CleanupStopped("a place reads wrong", reason=ReadsWrong.key)
        await self._renew_proofs(context, [item.asset_id for item in items])
        await asyncio.to_thread(context.archive.check)
        keys = [item.key for item in items]
        fresh = await patiently(context, partial(context.source.lookup, keys))
        requests: dict[str, tuple[Any, FreeRequest]] = {}
        for item in items:
            record = fresh.get(item.key)
            if record is not None and record.trashed and item.asset_id in self._asked:
                # Apple was too busy for us, and did it after all; undo must know
                await self._settle(context, item, PlanItemState.FREED)
                continue
            if item.key in fresh:
                reason = await self._reason_against(context, item, record)
            else:
                reason = "not_answered"
            if reason is not None:
                await self._refuse(context, item, reason)
                continue
            assert record is not None  # noqa: S101 - a missing record is a reason
            requests[item.key] = (item, FreeRequest(item.key, record.asset_tag or ""))
            if self._dry_run:
                context.progress.done(self.stage, item.bytes)
        return await self._free(context, requests) if requests and not self._dry_run else []

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
        rows = await context.catalog.read(old_proofs, asset_ids, targets, before)
        by_target: dict[str, list[Any]] = {}
        for row in rows:
            by_target.setdefault(row.target_id, []).append(row)
        lost = 0
        for target_id, old in by_target.items():
            try:
                target = await context.targets.get(target_id)
                lost += await prove_copies(context, target, old)
            except ReadsWrong as err:
                raise CleanupStopped(err.detail, reason=err.key) from err
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
        await self._settle(context, item, PlanItemState.REFUSED, reason)

    async def _settle(
        self,
        context: StageContext,
        item: Any,
        state: PlanItemState,
        reason: str | None = None,
        purge_at: int | None = None,
    ) -> None:
        await context.catalog.write(
            plans.set_item,
            self._plan_id,
            item.asset_id,
            state,
            reason=reason,
            purge_at=purge_at,
            actor=self._actor,
        )

    async def _give_up(self, context: StageContext, left: Sequence[Any]) -> None:
        """Those that Apple was too busy for were not deleted when we looked; undo looks again."""
        for item in left:
            if item.asset_id in self._asked:
                await self._settle(context, item, PlanItemState.FAILED, "throttled")

    async def _free(
        self, context: StageContext, requests: dict[str, tuple[Any, FreeRequest]]
    ) -> list[Any]:
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
            outcome = "throttled" if isinstance(err, ThrottledError) else "unknown"
            answers = [FreeResult(key, outcome, err.key) for key in requests]
        by_key = {answer.key: answer for answer in answers}
        # the answer is not believed: what the source holds afterwards is looked at
        after = await self._look_again(context, list(requests))
        unexpected: list[str] = []
        again: list[Any] = []
        for key, (item, _) in requests.items():
            answer = by_key.get(key, FreeResult(key, "unknown", "no answer"))
            record = after.get(key)
            trashed = record is not None and record.trashed
            if answer.outcome == "ok" and trashed:
                state, reason = PlanItemState.FREED, None
                context.progress.done(self.stage, item.bytes)
            elif answer.outcome == "throttled" and record is not None and not trashed:
                # until it is asked for again, nobody knows that Apple won't do it later
                state, reason = PlanItemState.UNKNOWN, answer.outcome
                again.append(item)
                self._asked.add(item.asset_id)
            else:
                reason = answer.outcome if answer.outcome != "ok" else "not_deleted"
                unexpected.append(reason)
                # deleted after all, although the answer was lost: undo must know
                state = PlanItemState.FREED if trashed else PlanItemState.FAILED
                if key not in after:
                    state = PlanItemState.UNKNOWN
            await self._settle(context, item, state, reason, answer.purge_at)
        if unexpected:
            raise CleanupStopped(f"unexpected answers: {unexpected[:5]}", reason=unexpected[0])
        return again

    @staticmethod
    async def _look_again(
        context: StageContext, keys: Sequence[str]
    ) -> dict[str, AssetRecord | None]:
        try:
            return await context.source.lookup(keys, urgent=True)
        except PipelineError as err:
            _LOGGER.warning("could not look at the result of a delete: %s", err.key)
            return {}
