"""Home Assistant's own network storage (Settings → System → Storage): is it connected?"""

from pathlib import Path
from typing import Final

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

_ROOTS: Final = frozenset({"media", "share"})


@callback
def async_connection_sensor(hass: HomeAssistant, folder: str) -> str | None:
    """The sensor that tells whether the network storage below a folder is connected.

    The Supervisor mounts it at ``/media/<name>`` or ``/share/<name>``. None elsewhere, and where
    its owner has not enabled that sensor.
    """
    parts = Path(folder).parts
    if len(parts) < 3 or parts[1] not in _ROOTS:
        return None
    registry = er.async_get(hass)
    entity_id = registry.async_get_entity_id(
        Platform.BINARY_SENSOR, "hassio", f"home_assistant_mount_{parts[2]}_state"
    )
    entry = registry.async_get(entity_id) if entity_id is not None else None
    return entity_id if entry is not None and not entry.disabled else None
