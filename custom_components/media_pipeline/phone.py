"""What the companion app on a phone tells, and what it is told."""

import asyncio
import logging
from typing import Final

from homeassistant.const import STATE_ON, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant

from .engine.errors import PhoneNotCharging, PhoneNotOnWifi, PhoneTooHot
from .engine.targets.phone import PixelTargetConfig

_LOGGER = logging.getLogger(__name__)
_CHARGING: Final = frozenset({STATE_ON, "charging", "full"})
_NO_WIFI: Final = frozenset({"<not connected>", "off", "", STATE_UNKNOWN, STATE_UNAVAILABLE})
_GOOGLE_PHOTOS: Final = "com.google.android.apps.photos"
_SECONDS: Final = 20


def check_phone(hass: HomeAssistant, config: PixelTargetConfig) -> None:
    """Raise PhoneNotCharging, PhoneNotOnWifi or PhoneTooHot. Not to know is not to be allowed."""
    if (entity := config.charging_entity) and _state(hass, entity) not in _CHARGING:
        raise PhoneNotCharging(f"{entity} says {_state(hass, entity)}")
    if entity := config.wifi_entity:
        network = _state(hass, entity)
        wanted = config.wifi_name
        if network in _NO_WIFI or (wanted and network not in {wanted, f'"{wanted}"'}):
            raise PhoneNotOnWifi("the phone is in another network")
    if entity := config.temperature_entity:
        try:
            # written so that "nan", which is no temperature, is hot as well
            hot = not float(_state(hass, entity)) <= config.max_temperature
        except ValueError:
            hot = True
        if hot:
            raise PhoneTooHot(f"{entity} says {_state(hass, entity)}")


def _state(hass: HomeAssistant, entity_id: str) -> str:
    state = hass.states.get(entity_id)
    return STATE_UNKNOWN if state is None else state.state


async def async_open_photos(hass: HomeAssistant, action: str) -> None:
    """Open Google Photos by the companion app's command. What goes wrong is only logged."""
    domain, _, name = action.partition(".")
    data = {"message": "command_launch_app", "data": {"package_name": _GOOGLE_PHOTOS}}
    try:
        async with asyncio.timeout(_SECONDS):
            await hass.services.async_call(domain, name, data, blocking=True)
    except Exception as err:  # noqa: BLE001 - actions let anything out, and this is but a nudge
        _LOGGER.warning("the phone was not asked to open Google Photos: %s", err)
