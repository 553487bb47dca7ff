"""Numbers of a source and of its targets."""

from datetime import datetime
from typing import override

from homeassistant.components.sensor import SensorEntity
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType

from .const import CONF_SOURCE, SOURCE_ICLOUD
from .coordinator import MediaPipelineConfigEntry
from .engine_config import target_subentries
from .entity import SourceEntity, TargetEntity
from .source_sensors import SOURCE_SENSORS, SourceSensorDescription
from .target_sensors import TARGET_SENSORS, TargetSensorDescription

# The coordinator pushes; nothing is polled.
PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant,
    entry: MediaPipelineConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the sensors of the source, then of each target on its own device."""
    coordinator = entry.runtime_data
    is_icloud = entry.data[CONF_SOURCE] == SOURCE_ICLOUD
    async_add_entities(
        SourceSensor(coordinator, description)
        for description in SOURCE_SENSORS
        if is_icloud or not description.icloud_only
    )
    configs = {config.target_id: config for config in coordinator.engine_config.targets}
    for subentry in target_subentries(entry):
        config = configs[subentry.subentry_id]
        async_add_entities(
            [
                TargetSensor(coordinator, subentry, description)
                for description in TARGET_SENSORS
                if description.exists(config)
            ],
            config_subentry_id=subentry.subentry_id,
        )


class SourceSensor(SourceEntity, SensorEntity):
    """A number of a source."""

    _unrecorded_attributes = frozenset(
        {
            "files_done",
            "files_total",
            "files_failed",
            "bytes_done",
            "bytes_total",
            "bytes_per_second",
            "resting",
        }
    )
    entity_description: SourceSensorDescription

    @property
    @override
    def native_value(self) -> StateType | datetime:
        """The value in the latest snapshot."""
        return self.entity_description.value(self.coordinator.data)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, StateType] | None:
        """Details for dashboards; not recorded."""
        details = self.entity_description.attributes
        return details(self.coordinator.data) if details else None


class TargetSensor(TargetEntity, SensorEntity):
    """A number of a target."""

    entity_description: TargetSensorDescription

    @property
    @override
    def native_value(self) -> StateType | datetime:
        """The value in the latest snapshot."""
        return self.entity_description.value(self.target)
