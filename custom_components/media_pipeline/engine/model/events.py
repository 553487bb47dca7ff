"""What the engine says when something happened."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """Something that happened, for the event entity: no names, no paths."""

    type: str
    """One of EVENT_TYPES."""
    data: dict[str, str | int | float | bool | None] = field(default_factory=dict)


EVENT_TYPES = (
    "run_started",
    "run_completed",
    "run_completed_with_problems",
    "run_failed",
    "run_cancelled",
    "code_required",
    "code_accepted",
    "code_rejected",
    "plan_ready",
    "plan_approved",
    "cleanup_done",
    "cleanup_stopped",
    "cleanup_undone",
    "copy_lost",
    "archive_damaged",
    "drill_passed",
    "drill_failed",
)
