"""Google Photos, handed photos through an rclone that the user runs."""

from typing import Any, Final

import voluptuous as vol
from homeassistant.const import CONF_PASSWORD, CONF_URL, CONF_USERNAME, CONF_VERIFY_SSL

from ..const import (
    CONF_BANDWIDTH,
    CONF_CONTENT,
    CONF_PARALLEL,
    CONF_REMOTE,
    TARGET_GOOGLE_PHOTOS,
)
from ..engine.model import Content
from ..engine.targets.google_photos import GooglePhotosTargetConfig
from ..form_fields import LOGIN, SECRET, SWITCH, TEXT, number
from .base import CONTENT, NAME, Data, TargetKind


def _build(data: Data, common: dict[str, Any]) -> GooglePhotosTargetConfig:
    return GooglePhotosTargetConfig(
        **common,
        url=data[CONF_URL],
        username=data.get(CONF_USERNAME),
        password=data.get(CONF_PASSWORD),
        verify_tls=data[CONF_VERIFY_SSL],
        remote=data[CONF_REMOTE],
    )


GOOGLE_PHOTOS: Final = TargetKind(
    key=TARGET_GOOGLE_PHOTOS,
    model="Google Photos",
    schema=vol.Schema(
        {
            **NAME,
            vol.Required(CONF_URL, default="http://127.0.0.1:5572"): TEXT,
            vol.Optional(CONF_USERNAME): LOGIN,
            vol.Optional(CONF_PASSWORD): SECRET,
            vol.Required(CONF_REMOTE, default="gphotos:album/iCloud"): TEXT,
            vol.Required(CONF_CONTENT, default=Content.MOTION_PHOTOS.value): CONTENT,
            vol.Required(CONF_PARALLEL, default=4): number(1, 32),
            vol.Required(CONF_BANDWIDTH, default=0): number(0, 10000, "Mbit/s"),
            vol.Required(CONF_VERIFY_SSL, default=True): SWITCH,
        }
    ),
    build=_build,
    unique_id=lambda data: f"google_photos:{data[CONF_URL]}:{data[CONF_REMOTE]}",
    place=(CONF_URL, CONF_REMOTE),
    secrets=(CONF_PASSWORD,),
)
