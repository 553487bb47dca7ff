"""For bug reports: counts, states and settings; no names, hosts, paths or secrets."""

from typing import Any

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.const import (
    CONF_HOST,
    CONF_PASSWORD,
    CONF_PATH,
    CONF_URL,
    CONF_USERNAME,
)
from homeassistant.core import HomeAssistant

from .const import (
    CONF_ACCESS_KEY_ID,
    CONF_ACCOUNT,
    CONF_ACCOUNT_KEY,
    CONF_ACTION,
    CONF_APPLE_ID,
    CONF_ARCHIVE,
    CONF_ARCHIVE_DEVICE,
    CONF_ARCHIVE_ID,
    CONF_BUCKET,
    CONF_DATA,
    CONF_ENCRYPTION_KEY,
    CONF_ENDPOINT,
    CONF_FOLDER,
    CONF_HOST_KEY,
    CONF_LIBRARIES,
    CONF_NOTIFY_ACTION,
    CONF_PASSPHRASE,
    CONF_PREFIX,
    CONF_PRIVATE_KEY,
    CONF_REMOTE,
    CONF_SECRET_ACCESS_KEY,
    CONF_SERVICE_ACCOUNT_KEY,
    CONF_WIFI_NAME,
)
from .coordinator import MediaPipelineConfigEntry
from .engine_config import target_subentries
from .target_rules import CONF_ALBUMS, CONF_CONDITIONS, CONF_RULE_LIBRARIES

TO_REDACT = {
    CONF_ACTION,
    CONF_DATA,
    CONF_NOTIFY_ACTION,
    CONF_WIFI_NAME,
    CONF_ALBUMS,
    CONF_CONDITIONS,
    CONF_ENCRYPTION_KEY,
    CONF_RULE_LIBRARIES,
    CONF_ACCESS_KEY_ID,
    CONF_ACCOUNT,
    CONF_ACCOUNT_KEY,
    CONF_BUCKET,
    CONF_ENDPOINT,
    CONF_PREFIX,
    CONF_SECRET_ACCESS_KEY,
    CONF_SERVICE_ACCOUNT_KEY,
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
    CONF_REMOTE,
    CONF_URL,
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
