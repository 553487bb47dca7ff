"""Any Home Assistant action as a target: each file is handed over once, and is out of our sight."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from ..config import TargetConfig
from ..errors import ActionError, ActionKeepsFailing, ActionMissing
from ..home import Home, Item
from .base import Delivery, TargetIdentity, TargetInfo
from .only_takes import OnlyTakes

_ENOUGH_FAILURES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionTargetConfig(TargetConfig):
    """An action of Home Assistant. What it is called with is known on that side only."""

    kind: ClassVar[str] = "action"
    action: str
    """``domain.service``."""
    data: str
    """What it is called with, as JSON; texts in it are templates."""
    per_minute: int = 10
    """Calls; 0 is no limit."""
    time_limit: float = 120.0
    """Seconds after which nobody waits for its end any more."""
    parallel: int = 1
    hand_off: bool = True


class ActionTarget(OnlyTakes):
    """Knows no paths and holds nothing that could be looked at."""

    kind = "action"

    def __init__(self, config: ActionTargetConfig, identity: TargetIdentity) -> None:
        """``identity`` means nothing here."""
        super().__init__(config.action, config.name)
        self._config = config
        self.home: Home | None = None
        self._next_turn = 0.0
        self._failures = 0

    async def open(self) -> TargetInfo:
        """See ``Target.open``. Raises ActionMissing."""
        await self._at_home().check_action(self._config)
        return TargetInfo(
            identity=TargetIdentity(),
            free_bytes=None,
            domain=f"action:{self._config.action}",
            off_machine=False,
            remote_hash=False,
        )

    def _at_home(self) -> Home:
        if self.home is None:
            raise ActionMissing("no home to ask", action=self._config.action)
        return self.home

    async def turn(self) -> None:
        """Wait until the next call may be made."""
        now = time.monotonic()
        wait = self._next_turn - now
        pause = 60 / self._config.per_minute if self._config.per_minute else 0.0
        self._next_turn = max(now, self._next_turn) + pause
        if wait > 0:
            await asyncio.sleep(wait)

    async def hand_over(self, item: Item) -> None:
        """Call the action for one file. Raises what ``Home.run_action`` raises.

        What fails again and again would fail for every photo: ActionKeepsFailing stops it.
        """
        try:
            await self._at_home().run_action(self._config, item)
        except ActionError as err:
            self._failures += 1
            if self._failures >= _ENOUGH_FAILURES:
                raise ActionKeepsFailing(err.detail, **err.placeholders) from err
            raise
        self._failures = 0

    async def deliver(
        self,
        source: Path,
        path: str,
        *,
        size: int,
        sha256: str,
        mtime: float,
        replace: bool = False,
        on_bytes: Callable[[int], None] | None = None,
    ) -> Delivery:
        """Never: an action gets items."""
        self._refuse()

    async def close(self) -> None:
        """Nothing is held."""
