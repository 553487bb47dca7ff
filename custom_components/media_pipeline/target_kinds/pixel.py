"""A Pixel phone that backs up to Google Photos."""

from collections.abc import Mapping
from typing import Any, Final

import voluptuous as vol
from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_PATH, CONF_PORT, CONF_USERNAME
from homeassistant.helpers.selector import (
    EntitySelector,
    EntitySelectorConfig,
    TextSelector,
    TextSelectorConfig,
)

from ..const import (
    CONF_BANDWIDTH,
    CONF_CHARGING_ENTITY,
    CONF_CONTENT,
    CONF_KEEP_DAYS,
    CONF_MAX_TEMPERATURE,
    CONF_MODEL,
    CONF_NOTIFY_ACTION,
    CONF_PASSPHRASE,
    CONF_PRIVATE_KEY,
    CONF_PRIVATE_KEY_FILE,
    CONF_PRUNE,
    CONF_TEMPERATURE_ENTITY,
    CONF_WIFI_ENTITY,
    CONF_WIFI_NAME,
    CONF_WINDOW,
    TARGET_PIXEL,
)
from ..engine.model import Content
from ..engine.targets.phone import PhoneModel, PixelTargetConfig
from ..form_fields import KEY, KEY_FILE, SECRET, SWITCH, TEXT, number, one_of
from .base import CONTENT, NAME, Data, TargetKind
from .sftp import place_on_server, server_of

_PATH: Final = "storage/dcim/MediaPipeline"
_GIGABYTE: Final = 1_000_000_000

PHONE_MODEL: Final = vol.Schema(
    {vol.Required(CONF_MODEL, default=PhoneModel.PIXEL_1.value): one_of(PhoneModel, CONF_MODEL)}
)
PRESETS: Final[Mapping[PhoneModel, Mapping[str, Any]]] = {
    PhoneModel.PIXEL_1: {CONF_CONTENT: Content.ORIGINALS.value, CONF_WINDOW: 0},
    # Google makes the smaller ones itself, of the best that it is given
    PhoneModel.PIXEL_2_TO_5: {CONF_CONTENT: Content.ORIGINALS.value, CONF_WINDOW: 0},
    PhoneModel.OTHER: {CONF_CONTENT: Content.COMPRESSED.value, CONF_WINDOW: 5},
}
"""What the form of a new phone starts with, by model; all of it may be changed there."""


def _build(data: Data, common: dict[str, Any]) -> PixelTargetConfig:
    return PixelTargetConfig(
        **common,
        **server_of(data),
        model=PhoneModel(data[CONF_MODEL]),
        window_bytes=int(data[CONF_WINDOW]) * _GIGABYTE or None,
        prune=data[CONF_PRUNE],
        keep_days=int(data[CONF_KEEP_DAYS]),
        charging_entity=data.get(CONF_CHARGING_ENTITY),
        wifi_entity=data.get(CONF_WIFI_ENTITY),
        wifi_name=data.get(CONF_WIFI_NAME),
        temperature_entity=data.get(CONF_TEMPERATURE_ENTITY),
        max_temperature=float(data[CONF_MAX_TEMPERATURE]),
        notify_action=data.get(CONF_NOTIFY_ACTION),
    )


def _unique_id(data: Data) -> str:
    return f"pixel:{place_on_server(data)}"


PIXEL: Final = TargetKind(
    key=TARGET_PIXEL,
    model="Pixel phone",
    schema=vol.Schema(
        {
            **NAME,
            vol.Required(CONF_HOST): TEXT,
            vol.Required(CONF_PORT, default=8022): number(1, 65535),
            vol.Required(CONF_USERNAME): TextSelector(TextSelectorConfig(autocomplete="off")),
            vol.Optional(CONF_PASSWORD): SECRET,
            vol.Optional(CONF_PRIVATE_KEY): KEY,
            vol.Optional(CONF_PRIVATE_KEY_FILE): KEY_FILE,
            vol.Optional(CONF_PASSPHRASE): SECRET,
            vol.Required(CONF_PATH, default=_PATH): TEXT,
            vol.Required(CONF_CONTENT, default=Content.ORIGINALS.value): CONTENT,
            vol.Required(CONF_BANDWIDTH, default=0): number(0, 10000, "Mbit/s"),
            vol.Required(CONF_WINDOW, default=0): number(0, 1000, "GB"),
            vol.Optional(CONF_CHARGING_ENTITY): EntitySelector(
                EntitySelectorConfig(domain=["binary_sensor", "sensor"])
            ),
            vol.Optional(CONF_WIFI_ENTITY): EntitySelector(
                EntitySelectorConfig(domain=["binary_sensor", "sensor"])
            ),
            vol.Optional(CONF_WIFI_NAME): TEXT,
            vol.Optional(CONF_TEMPERATURE_ENTITY): EntitySelector(
                EntitySelectorConfig(domain="sensor")
            ),
            vol.Required(CONF_MAX_TEMPERATURE, default=38): number(20, 120),
            vol.Optional(CONF_NOTIFY_ACTION): TEXT,
            vol.Required(CONF_PRUNE, default=False): SWITCH,
            vol.Required(CONF_KEEP_DAYS, default=14): number(1, 365),
        }
    ),
    build=_build,
    unique_id=_unique_id,
    place=(CONF_HOST, CONF_PORT, CONF_USERNAME, CONF_PATH),
    secrets=(CONF_PASSWORD, CONF_PRIVATE_KEY, CONF_PASSPHRASE),
)
