"""What can go wrong with runs, plans, the catalog and the engine."""

from .classes import HeldBack, PermanentError, ThrottledError, TransientError
from .hand_off import PhoneNotCharging, PhoneNotOnWifi, PhoneTooHot, PhoneWindowFull, TargetWaiting


class RunActive(PermanentError):
    """A run is already going on."""

    key = "run_active"


class NoActiveRun(PermanentError):
    """There is no run to pause, resume or cancel."""

    key = "no_active_run"


class PlanNotFound(PermanentError):
    """No plan with that id."""

    key = "plan_not_found"


class PlanWrongState(PermanentError):
    """The plan is not in the state that this needs."""

    key = "plan_wrong_state"


class PlanOutdated(PermanentError):
    """The catalog changed since the plan was made."""

    key = "plan_outdated"


class CleanupStopped(PermanentError):
    """An unexpected answer stopped the cleanup."""

    key = "cleanup_stopped"


class CleanupThrottled(HeldBack):
    """Apple asked us to slow down in the middle of a cleanup, for longer than a run waits."""

    key = "cleanup_throttled"

    def __init__(self, detail: str = "", /, *, until: float = 0.0) -> None:
        """As for HeldBack; ``reason`` is why the plan stopped."""
        super().__init__(detail, until=until)
        self.placeholders["reason"] = ThrottledError.key


class CatalogUnusable(PermanentError):
    """The catalog file can't be opened or is damaged."""

    key = "catalog_unusable"


class EngineStopped(TransientError):
    """The engine is shutting down."""

    key = "engine_stopped"


WAITING = frozenset(
    error.key
    for error in (TargetWaiting, PhoneNotCharging, PhoneNotOnWifi, PhoneTooHot, PhoneWindowFull)
)
"""States of a target that is well and waits."""
