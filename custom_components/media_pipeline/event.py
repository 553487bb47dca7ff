"""One event entity per source: what happened, for automations and the logbook."""

from typing import override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import MediaPipelineConfigEntry
from .engine.model import EVENT_TYPES, EngineEvent
from .entity import SourceEntity

# The engine pushes; nothing is polled.
PARALLEL_UPDATES = 0

OUTCOME = EventEntityDescription(
    key="outcome", translation_key="outcome", event_types=list(EVENT_TYPES)
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: MediaPipelineConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the event entity of a source."""
    async_add_entities([OutcomeEvent(entry.runtime_data, OUTCOME)])


class OutcomeEvent(SourceEntity, EventEntity):
    """Outcomes of runs, plans and cleanups."""

    @override
    async def async_added_to_hass(self) -> None:
        """Listen while the entity exists."""
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.async_listen_events(self._async_happened))

    @callback
    def _async_happened(self, event: EngineEvent) -> None:
        self._trigger_event(event.type, dict(event.data))
        self.async_write_ha_state()

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Snapshots change nothing here; a write would repeat the last event."""
