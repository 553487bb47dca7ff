"""Carries the engine's numbers and events into Home Assistant's loop."""

import logging
from collections.abc import Callable
from typing import override

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry, ConfigEntryState
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed

from .const import DOMAIN, REFRESH_INTERVAL, STATE_WRITE_INTERVAL
from .engine.config import EngineConfig
from .engine.engine import Engine
from .engine.errors import CodeRequired, InvalidCredentials, PipelineError
from .engine.model import EngineEvent, RunStatus, Snapshot
from .hand_over import HomeDoor
from .issues import IssueKeeper

_LOGGER = logging.getLogger(__name__)

REAUTH_PROBLEMS = frozenset({InvalidCredentials.key, CodeRequired.key})

type MediaPipelineConfigEntry = ConfigEntry[MediaPipelineCoordinator]
type EventListener = Callable[[EngineEvent], None]


class MediaPipelineCoordinator(DataUpdateCoordinator[Snapshot]):
    """One engine, its latest snapshot, and who wants to hear of its events."""

    config_entry: MediaPipelineConfigEntry

    def __init__(
        self, hass: HomeAssistant, entry: MediaPipelineConfigEntry, config: EngineConfig
    ) -> None:
        """Make the engine; nothing runs before ``engine.start()``."""
        super().__init__(
            hass,
            _LOGGER,
            config_entry=entry,
            name=DOMAIN,
            update_interval=REFRESH_INTERVAL,
            always_update=False,
        )
        self.engine_config = config
        self.engine = Engine(
            config,
            on_snapshot=self._snapshot_from_engine,
            on_event=self._event_from_engine,
            home=HomeDoor(hass, entry.entry_id),
        )
        self.issues = IssueKeeper(hass, entry)
        self._event_listeners: list[EventListener] = []
        self._waiting: Snapshot | None = None
        self._cancel_write: CALLBACK_TYPE | None = None
        self._auth_problems: frozenset[str] = frozenset()

    @override
    async def _async_update_data(self) -> Snapshot:
        """Compute the numbers anew."""
        try:
            snapshot = await self.engine.refresh()
        except PipelineError as err:
            raise UpdateFailed(translation_domain=DOMAIN, translation_key=err.key) from err
        self._async_react(snapshot)
        return snapshot

    @override
    async def async_shutdown(self) -> None:
        """Forget what waits to be written."""
        await super().async_shutdown()
        self._async_drop_waiting()

    async def async_look_again(self) -> None:
        """Have the source looked at anew: the engine does that when it starts, and in every run."""
        await self.async_refresh()
        if self.data.problems and self.data.status is RunStatus.IDLE:
            self.hass.config_entries.async_schedule_reload(self.config_entry.entry_id)

    async def async_submit_code(self, code: str) -> None:
        """Hand in a two-factor code that came without the form. Raises PipelineError.

        The event entity tells how it went, whichever way a code came.
        """
        await self.engine.submit_code("".join(code.split()))
        self._async_abort_reauth()

    @callback
    def _async_abort_reauth(self) -> None:
        """Apple knows us again by other means: nobody needs to be asked."""
        for flow in self.config_entry.async_get_active_flows(self.hass, {SOURCE_REAUTH}):
            self.hass.config_entries.flow.async_abort(flow["flow_id"])

    @callback
    def async_listen_events(self, listener: EventListener) -> CALLBACK_TYPE:
        """Hear of the engine's events; returns how to stop that."""
        self._event_listeners.append(listener)
        return lambda: self._event_listeners.remove(listener)

    def _snapshot_from_engine(self, snapshot: Snapshot) -> None:
        """Take a snapshot over, on the engine's thread."""
        self.hass.loop.call_soon_threadsafe(self._async_take_snapshot, snapshot)

    def _event_from_engine(self, event: EngineEvent) -> None:
        """Take an event over, on the engine's thread."""
        self.hass.loop.call_soon_threadsafe(self._async_take_event, event)

    @callback
    def _async_take_event(self, event: EngineEvent) -> None:
        for listener in list(self._event_listeners):
            listener(event)

    @callback
    def _async_take_snapshot(self, snapshot: Snapshot) -> None:
        """Write at once what people wait for, and progress at most every few seconds."""
        if self._shutdown_requested:
            return
        self._async_react(snapshot)
        if self.data is None or _landmarks(snapshot) != _landmarks(self.data):
            self._async_drop_waiting()
            self.async_set_updated_data(snapshot)
            return
        self._waiting = snapshot
        if self._cancel_write is None:
            self._cancel_write = async_call_later(
                self.hass, STATE_WRITE_INTERVAL, self._async_write_waiting
            )

    @callback
    def _async_write_waiting(self, _now: object) -> None:
        self._cancel_write = None
        snapshot, self._waiting = self._waiting, None
        if snapshot is not None:
            self.async_set_updated_data(snapshot)

    @callback
    def _async_drop_waiting(self) -> None:
        self._waiting = None
        if self._cancel_write is not None:
            self._cancel_write()
            self._cancel_write = None

    @callback
    def _async_react(self, snapshot: Snapshot) -> None:
        """Ask for a sign-in once per loss of it, and keep the repairs in step."""
        if self.config_entry.state is ConfigEntryState.UNLOAD_IN_PROGRESS:
            return  # the next engine asks, and has a session that a code can be given to
        self.issues.async_update(snapshot)
        if self.config_entry.state is ConfigEntryState.SETUP_IN_PROGRESS:
            return  # forms find the session that waits for a code once the entry is loaded
        problems = REAUTH_PROBLEMS.intersection(snapshot.problems)
        if problems - self._auth_problems:
            self.config_entry.async_start_reauth(self.hass)
        self._auth_problems = problems

    @callback
    def async_follow_state(self) -> CALLBACK_TYPE:
        """Ask what could not be asked while the entry was set up; returns how to stop that."""
        entry = self.config_entry

        @callback
        def react() -> None:
            if entry.state is ConfigEntryState.LOADED:
                self._async_react(self._waiting or self.data)

        return entry.async_on_state_change(react)


def _landmarks(snapshot: Snapshot) -> tuple[object, ...]:
    """What must show at once: the rest is progress."""
    return (
        snapshot.status,
        snapshot.authenticated,
        snapshot.problems,
        snapshot.last_run,
        snapshot.plan,
        tuple((key, target.state) for key, target in snapshot.targets.items()),
    )
