"""Only for the benchmark: an integration whose one task measures how late the loop is."""

from pathlib import Path

from homeassistant.core import HomeAssistant
from homeassistant.helpers.typing import ConfigType

from .heartbeat import beat

DOMAIN = "loop_heartbeat"


async def async_setup(hass: HomeAssistant, _config: ConfigType) -> bool:
    """Start the heartbeat."""
    path = Path(hass.config.path("loop_heartbeat.samples"))
    hass.async_create_background_task(beat(path), DOMAIN)
    return True
