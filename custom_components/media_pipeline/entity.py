"""What all entities share, and the devices they belong to."""

from typing import Any

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .const import CONF_SOURCE, DOMAIN, MANUFACTURER, SOURCE_ICLOUD
from .coordinator import MediaPipelineCoordinator
from .engine.model import TargetStatus
from .target_kinds.registry import kind_of


def source_device_info(entry: ConfigEntry[Any]) -> DeviceInfo:
    """The service device of a source and its archive."""
    return DeviceInfo(
        entry_type=DeviceEntryType.SERVICE,
        identifiers={(DOMAIN, entry.entry_id)},
        manufacturer=MANUFACTURER,
        model="iCloud Photos" if entry.data[CONF_SOURCE] == SOURCE_ICLOUD else "Folder",
        name=entry.title,
    )


class SourceEntity(CoordinatorEntity[MediaPipelineCoordinator]):
    """An entity of a source."""

    _attr_has_entity_name = True

    def __init__(
        self, coordinator: MediaPipelineCoordinator, description: EntityDescription
    ) -> None:
        """Hang the entity on the source's device."""
        super().__init__(coordinator)
        self.entity_description = description
        entry = coordinator.config_entry
        self._attr_unique_id = f"{entry.entry_id}_{description.key}"
        self._attr_device_info = source_device_info(entry)


class TargetEntity(CoordinatorEntity[MediaPipelineCoordinator]):
    """An entity of a target."""

    _attr_has_entity_name = True

    def __init__(
        self,
        coordinator: MediaPipelineCoordinator,
        subentry: ConfigSubentry,
        description: EntityDescription,
    ) -> None:
        """Hang the entity on the target's device."""
        super().__init__(coordinator)
        self.entity_description = description
        self.subentry = subentry
        entry = coordinator.config_entry
        key = f"{entry.entry_id}_{subentry.subentry_id}"
        self._attr_unique_id = f"{key}_{description.key}"
        self._attr_device_info = DeviceInfo(
            entry_type=DeviceEntryType.SERVICE,
            identifiers={(DOMAIN, key)},
            manufacturer=MANUFACTURER,
            model=kind_of(subentry.data).model,
            name=subentry.title,
            via_device_id=dr.async_get_device_id_by_identifier(
                coordinator.hass, (DOMAIN, entry.entry_id), config_entry_id=entry.entry_id
            ),
        )

    @property
    def target(self) -> TargetStatus:
        """The target's latest numbers; unknown before the engine first looked at it."""
        known = self.coordinator.data.targets.get(self.subentry.subentry_id)
        return known or TargetStatus(self.subentry.subentry_id, self.subentry.title)
