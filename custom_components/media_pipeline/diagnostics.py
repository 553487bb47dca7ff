"""For bug reports: counts, states and settings; no names, hosts, paths or secrets."""

from typing import Any

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.const import (
    CONF_HOST,
    CONF_PASSWORD,
    CONF_PATH,
    CONF_USERNAME,
)
from homeassistant.core import HomeAssistant

from .const import (
    CONF_APPLE_ID,
    CONF_ARCHIVE,
    CONF_ARCHIVE_DEVICE,
    CONF_ARCHIVE_ID,
    CONF_FOLDER,
    CONF_HOST_KEY,
    CONF_LIBRARIES,
    CONF_PASSPHRASE,
    CONF_PRIVATE_KEY,
)
from .coordinator import MediaPipelineConfigEntry
from .engine_config import target_subentries

TO_REDACT = {
    CONF_APPLE_ID,
    CONF_ARCHIVE,
    CONF_ARCHIVE_DEVICE,
    CONF_ARCHIVE_ID,
    CONF_FOLDER,
    CONF_HOST,
    CONF_HOST_KEY,
    CONF_LIBRARIES,
    CONF_PASSPHRASE,
    CONF_PASSWORD,
    CONF_PATH,
    CONF_PRIVATE_KEY,
    CONF_USERNAME,
}


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: MediaPipelineConfigEntry
) -> dict[str, Any]:
    """Settings, the latest numbers and the engine's own view."""
    return {
        "data": async_redact_data(dict(entry.data), TO_REDACT),
        "options": dict(entry.options),
        "targets": [
            async_redact_data(dict(subentry.data), TO_REDACT)
            for subentry in target_subentries(entry)
        ],
        "engine": await entry.runtime_data.engine.diagnostics(),
    }
