"""Cleanup plans from proposal to undo; what deletes is ``stages.cleanup``."""

import asyncio
from typing import TYPE_CHECKING

from .catalog import plans, protection
from .errors import (
    NotSupportedBySource,
    PipelineError,
    PlanNotFound,
    PlanOutdated,
    PlanWrongState,
    ReadsWrong,
)
from .model import EngineEvent, PlanState, PlanSummary, RunOutcome, RunSummary
from .stages.cleanup import Cleanup
from .stages.undo import undo

if TYPE_CHECKING:
    from .core import Core


class PlanDesk:
    """See ``engine.Engine`` for what each call means."""

    def __init__(self, core: Core) -> None:
        """Works on the core's loop."""
        self._core = core

    async def plan(
        self, limit: int | None, actor: str | None
    ) -> tuple[PlanSummary, dict[str, int]]:
        """A new plan, and why the rest is not in it."""
        if not self._core.source.can_free:
            raise NotSupportedBySource
        self._refuse_held()
        most = self._core.config.safety.max_assets_per_plan
        ground = self._core.ground()
        plan = await self._core.catalog.write(
            plans.make_plan, ground, most if limit is None else max(1, min(limit, most)), actor
        )
        reasons = await self._core.catalog.read(protection.refusals, ground)
        await self._core.board.refresh()
        self._core.report(
            EngineEvent(
                "plan_ready",
                {"plan_id": plan.plan_id, "assets": plan.assets, "bytes": plan.bytes},
            )
        )
        return plan, reasons

    def _refuse_held(self) -> None:
        """Raise ReadsWrong while a place reads wrong: nothing that rests on it is freed."""
        if self._core.targets.anything_held:
            raise ReadsWrong("a place reads wrong")

    async def _plan_in(self, plan_id: str, states: tuple[PlanState, ...]) -> PlanSummary:
        plan = await self._core.catalog.read(plans.summary_of, plan_id)
        if plan is None:
            raise PlanNotFound(plan_id=plan_id)
        if plan.state not in states:
            raise PlanWrongState(plan_id=plan_id, state=plan.state)
        return plan

    async def _still_current(self, plan_id: str) -> None:
        if not await self._core.catalog.read(plans.is_current, plan_id):
            await self._core.catalog.write(
                plans.set_plan_state, plan_id, PlanState.STOPPED, stop_reason="outdated"
            )
            await self._core.board.refresh()
            raise PlanOutdated(plan_id=plan_id)

    async def approve(self, plan_id: str, actor: str | None) -> PlanSummary:
        """A person agrees."""
        self._refuse_held()
        await self._plan_in(plan_id, (PlanState.PROPOSED,))
        await self._still_current(plan_id)
        await self._core.catalog.write(
            plans.set_plan_state, plan_id, PlanState.APPROVED, actor=actor
        )
        self._core.report(EngineEvent("plan_approved", {"plan_id": plan_id}))
        return await self._plan_now(plan_id)

    async def _plan_now(self, plan_id: str) -> PlanSummary:
        await self._core.board.refresh()
        plan = await self._core.catalog.read(plans.summary_of, plan_id)
        if plan is None:
            raise PlanNotFound(plan_id=plan_id)
        return plan

    async def execute(
        self, plan_id: str, dry_run: bool, actor: str | None
    ) -> tuple[PlanSummary, dict[str, int]]:
        """Execute or only check a plan; see ``stages.cleanup`` for the gates."""
        if not self._core.source.can_free:
            raise NotSupportedBySource
        self._refuse_held()
        allowed = (PlanState.PROPOSED, PlanState.APPROVED) if dry_run else (PlanState.APPROVED,)
        await self._plan_in(plan_id, allowed)
        await self._still_current(plan_id)
        self._core.runs.refuse_held_back()
        # a caller that stops waiting must not keep the plan from being settled
        return await asyncio.shield(
            self._core.keep(asyncio.create_task(self._execute(plan_id, dry_run, actor)))
        )

    async def _execute(
        self, plan_id: str, dry_run: bool, actor: str | None
    ) -> tuple[PlanSummary, dict[str, int]]:
        executor = Cleanup(plan_id, self._core.ground(), dry_run=dry_run, actor=actor)
        with self._core.runs.alone():  # from the claim on, no other run may start
            if not dry_run and not await self._core.catalog.write(plans.claim, plan_id, actor):
                await self._plan_in(plan_id, (PlanState.APPROVED,))
                raise PlanWrongState(plan_id=plan_id, state=PlanState.EXECUTING)
        run = self._core.runs.new((), actor, executor)
        summary = await self._core.runs.launch(run)
        error = run.context.problems.get("run")
        if not dry_run and summary.outcome is not RunOutcome.INTERRUPTED:
            await self._settle(plan_id, summary, error, actor)
        if error is not None:
            raise error
        return await self._plan_now(plan_id), dict(executor.refused)

    async def _settle(
        self,
        plan_id: str,
        summary: RunSummary,
        error: PipelineError | None,
        actor: str | None,
    ) -> None:
        done = summary.outcome in {
            RunOutcome.COMPLETED,
            RunOutcome.COMPLETED_WITH_PROBLEMS,
        }
        reason = None
        if not done:
            reason = summary.error or str(summary.outcome)
            if error is not None:
                reason = error.placeholders.get("reason", error.key)
        await self._core.catalog.write(
            plans.set_plan_state,
            plan_id,
            PlanState.EXECUTED if done else PlanState.STOPPED,
            actor=actor,
            stop_reason=reason,
        )
        plan = await self._plan_now(plan_id)
        self._core.report(
            EngineEvent(
                "cleanup_done" if done else "cleanup_stopped",
                {
                    "plan_id": plan_id,
                    "assets": plan.freed_assets,
                    "bytes": plan.freed_bytes,
                    "reason": reason,
                },
            )
        )

    async def undo(self, plan_id: str, actor: str | None) -> PlanSummary:
        """Bring a plan's assets back."""
        await self._plan_in(plan_id, (PlanState.EXECUTED, PlanState.STOPPED))
        self._core.runs.refuse_held_back()
        count = await asyncio.shield(
            self._core.keep(asyncio.create_task(self._undo(plan_id, actor)))
        )
        self._core.report(EngineEvent("cleanup_undone", {"plan_id": plan_id, "assets": count}))
        return await self._plan_now(plan_id)

    async def _undo(self, plan_id: str, actor: str | None) -> int:
        with self._core.runs.alone():
            return await undo(self._core.context(), plan_id, actor)
