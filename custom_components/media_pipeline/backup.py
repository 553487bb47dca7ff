"""Backups of Home Assistant hold the catalog: it is brought up to date before each."""

import logging

from homeassistant.core import HomeAssistant

from .const import DOMAIN
from .coordinator import MediaPipelineConfigEntry
from .engine.errors import PipelineError

_LOGGER = logging.getLogger(__name__)


async def async_pre_backup(hass: HomeAssistant) -> None:
    """Have every catalog's log written into its file.

    A catalog that can't do that holds no backup up: its log is in the backup as well.
    """
    entries: list[MediaPipelineConfigEntry] = hass.config_entries.async_loaded_entries(DOMAIN)
    for entry in entries:
        try:
            await entry.runtime_data.engine.checkpoint()
        except PipelineError as err:
            _LOGGER.warning("The catalog was not brought up to date: %s (%s)", err.key, err)


async def async_post_backup(hass: HomeAssistant) -> None:
    """Nothing was held up, so nothing goes on."""
