"""The numbers of a target, and which targets have them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from homeassistant.components.sensor import (
    EntityCategory,
    SensorDeviceClass,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import UnitOfInformation, UnitOfRatio
from homeassistant.helpers.typing import StateType

from .const import TARGET_ACTION, TARGET_GOOGLE_PHOTOS, TARGET_PIXEL
from .engine.config import TargetConfig
from .engine.errors import TargetUnavailableError
from .engine.model import TargetStatus
from .moments import moment
from .target_states import TARGET_STATES


@dataclass(frozen=True, kw_only=True)
class TargetSensorDescription(SensorEntityDescription):
    """A number of a target."""

    value: Callable[[TargetStatus], StateType | datetime]
    exists: Callable[[TargetConfig], bool] = lambda _: True
    """Whether it says anything about such a target."""


def _target_state(target: TargetStatus) -> str | None:
    """What keeps a target from working; nothing is known before it was first looked at."""
    if target.state == "unknown":
        return None
    return target.state if target.state in TARGET_STATES else TargetUnavailableError.key


TARGET_SENSORS: tuple[TargetSensorDescription, ...] = (
    TargetSensorDescription(
        key="state",
        translation_key="target_state",
        device_class=SensorDeviceClass.ENUM,
        options=TARGET_STATES,
        value=_target_state,
    ),
    TargetSensorDescription(
        key="free_space",
        translation_key="target_free",
        device_class=SensorDeviceClass.DATA_SIZE,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfInformation.BYTES,
        suggested_unit_of_measurement=UnitOfInformation.GIBIBYTES,
        suggested_display_precision=2,
        entity_category=EntityCategory.DIAGNOSTIC,
        value=lambda target: target.free_bytes,
        exists=lambda config: config.kind not in {TARGET_ACTION, TARGET_GOOGLE_PHOTOS},
    ),
    TargetSensorDescription(
        key="copies",
        translation_key="target_copies",
        state_class=SensorStateClass.MEASUREMENT,
        value=lambda target: target.verified,
        exists=lambda config: not config.hand_off,
    ),
    TargetSensorDescription(
        key="missing",
        translation_key="target_missing",
        state_class=SensorStateClass.MEASUREMENT,
        entity_category=EntityCategory.DIAGNOSTIC,
        value=lambda target: target.missing,
    ),
    TargetSensorDescription(
        key="last_verified",
        translation_key="target_last_verified",
        device_class=SensorDeviceClass.TIMESTAMP,
        value=lambda target: moment(target.last_verified),
        exists=lambda config: not config.hand_off,
    ),
    TargetSensorDescription(
        key="last_drill",
        translation_key="target_last_drill",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        value=lambda target: moment(target.last_drill),
        exists=lambda config: not config.hand_off,
    ),
    TargetSensorDescription(
        key="drill_score",
        translation_key="target_drill_score",
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfRatio.PERCENTAGE,
        suggested_display_precision=0,
        entity_category=EntityCategory.DIAGNOSTIC,
        value=lambda target: target.drill_score,
        exists=lambda config: not config.hand_off,
    ),
    TargetSensorDescription(
        key="delivered",
        translation_key="target_delivered",
        state_class=SensorStateClass.MEASUREMENT,
        value=lambda target: target.delivered,
        exists=lambda config: config.hand_off,
    ),
    TargetSensorDescription(
        key="resident",
        translation_key="target_resident",
        state_class=SensorStateClass.MEASUREMENT,
        value=lambda target: target.resident,
        exists=lambda config: config.kind == TARGET_PIXEL,
    ),
    TargetSensorDescription(
        key="resident_size",
        translation_key="target_resident_size",
        device_class=SensorDeviceClass.DATA_SIZE,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfInformation.BYTES,
        suggested_unit_of_measurement=UnitOfInformation.GIBIBYTES,
        suggested_display_precision=2,
        value=lambda target: target.resident_bytes,
        exists=lambda config: config.kind == TARGET_PIXEL,
    ),
    TargetSensorDescription(
        key="inferred",
        translation_key="target_inferred",
        state_class=SensorStateClass.MEASUREMENT,
        value=lambda target: target.inferred,
        exists=lambda config: config.kind in {TARGET_PIXEL, TARGET_GOOGLE_PHOTOS},
    ),
)
