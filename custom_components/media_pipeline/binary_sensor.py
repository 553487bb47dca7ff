"""Yes or no: is there a problem, and does Apple know us."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.binary_sensor import (
    BinarySensorDeviceClass,
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import CONF_SOURCE, SOURCE_ICLOUD
from .coordinator import MediaPipelineConfigEntry
from .engine.errors import WAITING
from .engine.model import Snapshot
from .entity import SourceEntity
from .moments import moment

# The coordinator pushes; nothing is polled.
PARALLEL_UPDATES = 0

_HARMLESS = frozenset({"ok", "unknown", *WAITING})


@dataclass(frozen=True, kw_only=True)
class SourceBinarySensorDescription(BinarySensorEntityDescription):
    """A yes or no of a source."""

    value: Callable[[Snapshot], bool | None]
    attributes: Callable[[Snapshot], dict[str, Any]] | None = None
    icloud_only: bool = False


def problems(snapshot: Snapshot) -> list[str]:
    """Keys of all that holds something up, at the source and at the targets."""
    targets = {target.state for target in snapshot.targets.values()} - _HARMLESS
    return sorted(targets.union(snapshot.problems))


def _problem_details(snapshot: Snapshot) -> dict[str, Any]:
    """What is wrong, and until when Apple wants no request."""
    details: dict[str, Any] = {"problems": problems(snapshot)}
    until = moment(snapshot.throttled_until)
    if until is not None:
        details["throttled_until"] = until.isoformat(timespec="seconds")
    return details


BINARY_SENSORS: tuple[SourceBinarySensorDescription, ...] = (
    SourceBinarySensorDescription(
        key="problem",
        translation_key="problem",
        device_class=BinarySensorDeviceClass.PROBLEM,
        entity_category=EntityCategory.DIAGNOSTIC,
        value=lambda data: bool(problems(data)),
        attributes=_problem_details,
    ),
    SourceBinarySensorDescription(
        key="authenticated",
        translation_key="authenticated",
        entity_category=EntityCategory.DIAGNOSTIC,
        value=lambda data: data.authenticated,
        icloud_only=True,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: MediaPipelineConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the binary sensors of a source."""
    is_icloud = entry.data[CONF_SOURCE] == SOURCE_ICLOUD
    async_add_entities(
        SourceBinarySensor(entry.runtime_data, description)
        for description in BINARY_SENSORS
        if is_icloud or not description.icloud_only
    )


class SourceBinarySensor(SourceEntity, BinarySensorEntity):
    """A yes or no of a source."""

    entity_description: SourceBinarySensorDescription

    @property
    @override
    def is_on(self) -> bool | None:
        """The answer in the latest snapshot."""
        return self.entity_description.value(self.coordinator.data)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any] | None:
        """What the answer is made of."""
        attributes = self.entity_description.attributes
        return attributes(self.coordinator.data) if attributes else None
