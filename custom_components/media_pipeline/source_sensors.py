"""The numbers of a source, and where each comes from."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from homeassistant.components.sensor import (
    EntityCategory,
    SensorDeviceClass,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import UnitOfInformation, UnitOfRatio, UnitOfTime
from homeassistant.helpers.typing import StateType

from .engine.model import RunOutcome, RunStatus, Snapshot
from .moments import moment


@dataclass(frozen=True, kw_only=True)
class SourceSensorDescription(SensorEntityDescription):
    """A number of a source."""

    value: Callable[[Snapshot], StateType | datetime]
    attributes: Callable[[Snapshot], dict[str, StateType]] | None = None
    icloud_only: bool = False


def _remaining(snapshot: Snapshot) -> int | None:
    """Seconds to go; rounded, because every new value is a row in the recorder."""
    if snapshot.run is None or snapshot.run.eta_seconds is None:
        return None
    return max(0, round(snapshot.run.eta_seconds / 10)) * 10


def _progress_details(snapshot: Snapshot) -> dict[str, StateType]:
    """Files and bytes over all stages, bytes per second, and why compressing gives way."""
    if snapshot.run is None:
        return {}
    parts = list(snapshot.run.stages.values())
    return {
        "files_done": sum(part.done for part in parts),
        "files_total": sum(part.total for part in parts),
        "files_failed": sum(part.failed for part in parts),
        "bytes_done": sum(part.bytes_done for part in parts),
        "bytes_total": sum(part.bytes_total for part in parts),
        "bytes_per_second": round(snapshot.run.rate),
        "resting": snapshot.run.resting,
    }


def _difference(snapshot: Snapshot) -> int | None:
    """Assets that Apple counts and the catalog lacks; None before the first look."""
    if not snapshot.census:
        return None
    return sum(census.difference for census in snapshot.census.values())


def _census_details(snapshot: Snapshot) -> dict[str, StateType]:
    """Both counts, and how many looks in a row found what no full look has explained."""
    libraries = snapshot.census.values()
    return {
        "counted_by_apple": sum(census.theirs for census in libraries),
        "in_catalog": sum(census.ours for census in libraries),
        "explained": sum(census.explained for census in libraries),
        "looks_in_a_row": max((census.times for census in libraries), default=0),
    }


def _size(
    key: str,
    value: Callable[[Snapshot], int | None],
    *,
    diagnostic: bool = False,
    enabled: bool = True,
    icloud_only: bool = False,
) -> SourceSensorDescription:
    return SourceSensorDescription(
        key=key,
        translation_key=key,
        device_class=SensorDeviceClass.DATA_SIZE,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfInformation.BYTES,
        suggested_unit_of_measurement=UnitOfInformation.GIBIBYTES,
        suggested_display_precision=2,
        entity_category=EntityCategory.DIAGNOSTIC if diagnostic else None,
        entity_registry_enabled_default=enabled,
        value=value,
        icloud_only=icloud_only,
    )


def _count(
    key: str,
    value: Callable[[Snapshot], int],
    *,
    diagnostic: bool = False,
    icloud_only: bool = False,
) -> SourceSensorDescription:
    return SourceSensorDescription(
        key=key,
        translation_key=key,
        state_class=SensorStateClass.MEASUREMENT,
        entity_category=EntityCategory.DIAGNOSTIC if diagnostic else None,
        value=value,
        icloud_only=icloud_only,
    )


SOURCE_SENSORS: tuple[SourceSensorDescription, ...] = (
    SourceSensorDescription(
        key="status",
        translation_key="status",
        device_class=SensorDeviceClass.ENUM,
        options=[status.value for status in RunStatus],
        value=lambda data: data.status.value,
    ),
    SourceSensorDescription(
        key="progress",
        translation_key="progress",
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfRatio.PERCENTAGE,
        suggested_display_precision=0,
        value=lambda data: round(data.run.percent, 1) if data.run else None,
        attributes=_progress_details,
    ),
    SourceSensorDescription(
        key="time_remaining",
        translation_key="time_remaining",
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        suggested_unit_of_measurement=UnitOfTime.MINUTES,
        suggested_display_precision=0,
        value=_remaining,
    ),
    _count("library_items", lambda data: data.library.items),
    _size("library_size", lambda data: data.library.bytes),
    _count("archived_items", lambda data: data.library.archived),
    SourceSensorDescription(
        key="protected",
        translation_key="protected",
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfRatio.PERCENTAGE,
        suggested_display_precision=1,
        value=lambda data: round(data.library.protected_percent, 2),
    ),
    _size("freeable_size", lambda data: data.library.freeable_bytes, icloud_only=True),
    _size(
        "pending_purge_size",
        lambda data: data.library.pending_purge_bytes,
        diagnostic=True,
        icloud_only=True,
    ),
    _size(
        "compression_saving",
        lambda data: data.library.compressed_saved_bytes,
        diagnostic=True,
        enabled=False,
    ),
    SourceSensorDescription(
        key="library_difference",
        translation_key="library_difference",
        state_class=SensorStateClass.MEASUREMENT,
        entity_category=EntityCategory.DIAGNOSTIC,
        value=_difference,
        attributes=_census_details,
        icloud_only=True,
    ),
    _count("quarantined_items", lambda data: data.library.quarantined, diagnostic=True),
    SourceSensorDescription(
        key="last_run",
        translation_key="last_run",
        device_class=SensorDeviceClass.TIMESTAMP,
        value=lambda data: moment(data.last_run.ended) if data.last_run else None,
    ),
    SourceSensorDescription(
        key="last_run_result",
        translation_key="last_run_result",
        device_class=SensorDeviceClass.ENUM,
        options=[outcome.value for outcome in RunOutcome],
        value=lambda data: data.last_run.outcome.value if data.last_run else None,
    ),
    _size("icloud_used", lambda data: data.usage.used if data.usage else None, icloud_only=True),
    _size(
        "icloud_total",
        lambda data: data.usage.total if data.usage else None,
        diagnostic=True,
        icloud_only=True,
    ),
    SourceSensorDescription(
        key="trust_ends",
        translation_key="trust_ends",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        value=lambda data: moment(data.trust_ends),
        icloud_only=True,
    ),
    _size("archive_free", lambda data: data.archive_free, diagnostic=True),
)
