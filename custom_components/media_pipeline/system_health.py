"""A few facts for Home Assistant's system information page."""

from importlib.metadata import version
from typing import Any

from homeassistant.components import system_health
from homeassistant.core import HomeAssistant, callback

from .const import DOMAIN
from .coordinator import MediaPipelineConfigEntry
from .engine.model import RunStatus


@callback
def async_register(hass: HomeAssistant, register: system_health.SystemHealthRegistration) -> None:
    """Register the facts."""
    register.async_register_info(system_health_info)


async def system_health_info(hass: HomeAssistant) -> dict[str, Any]:
    """How many sources run, and with which library."""
    entries: list[MediaPipelineConfigEntry] = hass.config_entries.async_loaded_entries(DOMAIN)
    snapshots = [entry.runtime_data.data for entry in entries]
    return {
        "sources": len(snapshots),
        "running": sum(snapshot.status is not RunStatus.IDLE for snapshot in snapshots),
        "items": sum(snapshot.library.items for snapshot in snapshots),
        "pyicloud": await hass.async_add_executor_job(version, "pyicloud"),
    }
