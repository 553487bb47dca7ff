"""Times and conditions of targets: Home Assistant tells the engine when each may be used."""

import contextlib
import logging
from collections.abc import Callable
from datetime import datetime, time
from typing import Any

from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import CONF_PATH, STATE_OFF, STATE_ON
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers.event import async_track_state_change_event, async_track_time_change
from homeassistant.util import dt as dt_util

from .const import CONF_KIND, CONF_RULES, TARGET_FOLDER
from .coordinator import MediaPipelineConfigEntry
from .engine.errors import PipelineError
from .engine.model import RunStatus, Stage
from .engine_config import target_subentries
from .network_storage import async_connection_sensor
from .target_rules import CONF_CONDITIONS, CONF_FROM, CONF_UNTIL, WHEN, Rules, is_gated, is_open

_LOGGER = logging.getLogger(__name__)


@callback
def async_keep_gates(hass: HomeAssistant, entry: MediaPipelineConfigEntry) -> CALLBACK_TYPE:
    """Tell the engine now and at every change; returns how to stop that."""
    gates = [
        _Gate(hass, entry, subentry, storage)
        for subentry in target_subentries(entry)
        for storage in (_storage_of(hass, subentry),)
        if storage is not None or is_gated(subentry.data.get(CONF_RULES, {}))
    ]

    @callback
    def stop() -> None:
        for gate in gates:
            gate.stop()

    return stop


def _storage_of(hass: HomeAssistant, subentry: ConfigSubentry) -> str | None:
    if subentry.data[CONF_KIND] != TARGET_FOLDER:
        return None
    return async_connection_sensor(hass, subentry.data[CONF_PATH])


class _Gate:
    """The gate of one target."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: MediaPipelineConfigEntry,
        subentry: ConfigSubentry,
        storage: str | None,
    ) -> None:
        """``storage`` is the sensor of the network storage that the target lies on."""
        self._hass = hass
        self._entry = entry
        self._target_id = subentry.subentry_id
        self._rules: Rules = subentry.data.get(CONF_RULES, {})
        self._storage = storage
        self._is_open: bool | None = None
        when = self._rules.get(WHEN, {})
        self._conditions: list[str] = when.get(CONF_CONDITIONS, [])
        self._stops: list[Callable[[], None]] = []
        if followed := [*self._conditions, *([storage] if storage else [])]:
            self._stops.append(async_track_state_change_event(hass, followed, self._async_changed))
        for key in (CONF_FROM, CONF_UNTIL):
            if key in when:
                at = time.fromisoformat(when[key])
                self._stops.append(
                    async_track_time_change(hass, self._async_timed, at.hour, at.minute, at.second)
                )
        self._async_look()

    def stop(self) -> None:
        """Follow nothing any more."""
        for stop in self._stops:
            stop()

    @callback
    def _async_changed(self, _event: Event[Any]) -> None:
        self._async_look()

    @callback
    def _async_timed(self, _now: datetime) -> None:
        self._async_look()

    @callback
    def _async_look(self) -> None:
        on = [each for each in self._conditions if self._hass.states.is_state(each, STATE_ON)]
        now = is_open(self._rules, dt_util.now().time(), on)
        # unknown is no reason: whether it is there, the marker in the folder tells best
        if self._storage is not None and self._hass.states.is_state(self._storage, STATE_OFF):
            now = False
        if now is self._is_open:
            return
        first, self._is_open = self._is_open is None, now
        self._entry.async_create_task(self._hass, self._async_set(now, begin=now and not first))

    async def _async_set(self, is_open: bool, *, begin: bool) -> None:
        """Tell the engine; what waited for this moment is sent, unless a run goes on anyway."""
        coordinator = self._entry.runtime_data
        with contextlib.suppress(PipelineError):  # the engine stops: the next one is told anew
            await coordinator.engine.set_gate(self._target_id, is_open=is_open)
            status = coordinator.data.targets.get(self._target_id)
            idle = coordinator.data.status is RunStatus.IDLE
            if begin and idle and status is not None and status.missing:
                _LOGGER.info("a target may be used now: sending what it lacks")
                await coordinator.engine.start_run((Stage.SYNC, Stage.VERIFY))
