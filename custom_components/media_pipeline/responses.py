"""Runs and plans as an action answers with them."""

from typing import Any

from .engine.model import PlanSummary, RunSummary
from .moments import iso


def run_response(summary: RunSummary) -> dict[str, Any]:
    """A finished run for an action's response."""
    return {
        "run_id": summary.run_id,
        "outcome": summary.outcome.value,
        "started": iso(summary.started),
        "ended": iso(summary.ended),
        "stages": [stage.value for stage in summary.stages],
        "counts": dict(summary.counts),
        "error": summary.error,
    }


def plan_response(plan: PlanSummary) -> dict[str, Any]:
    """A plan for an action's response."""
    return {
        "plan_id": plan.plan_id,
        "digest": plan.digest,
        "state": plan.state.value,
        "created": iso(plan.created),
        "assets": plan.assets,
        "bytes": plan.bytes,
        "freed_assets": plan.freed_assets,
        "freed_bytes": plan.freed_bytes,
        "purge_at": iso(plan.purge_at),
        "stop_reason": plan.stop_reason,
    }
