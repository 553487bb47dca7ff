"""A folder on a WebDAV server, such as Nextcloud."""

from typing import Any, Final

import voluptuous as vol
from homeassistant.const import CONF_PASSWORD, CONF_PATH, CONF_URL, CONF_USERNAME, CONF_VERIFY_SSL

from ..const import CONF_BANDWIDTH, CONF_PARALLEL, CONF_SAME_MACHINE, TARGET_WEBDAV
from ..engine.targets.webdav_config import WebdavTargetConfig
from ..form_fields import LOGIN, SECRET, SWITCH, TEXT, number
from .base import CONTENTS, NAME, Data, TargetKind


def _build(data: Data, common: dict[str, Any]) -> WebdavTargetConfig:
    return WebdavTargetConfig(
        **common,
        url=data[CONF_URL],
        username=data.get(CONF_USERNAME),
        password=data.get(CONF_PASSWORD),
        verify_tls=data[CONF_VERIFY_SSL],
        path=data.get(CONF_PATH, ""),
        off_machine=False if data[CONF_SAME_MACHINE] else None,
    )


def _unique_id(data: Data) -> str:
    return f"webdav:{data.get(CONF_USERNAME, '')}@{data[CONF_URL]}:{data.get(CONF_PATH, '')}"


WEBDAV: Final = TargetKind(
    key=TARGET_WEBDAV,
    model="WebDAV",
    schema=vol.Schema(
        {
            **NAME,
            vol.Required(CONF_URL): TEXT,
            vol.Optional(CONF_USERNAME): LOGIN,
            vol.Optional(CONF_PASSWORD): SECRET,
            vol.Required(CONF_PATH, default="Photos"): TEXT,
            **CONTENTS,
            vol.Required(CONF_PARALLEL, default=4): number(1, 32),
            vol.Required(CONF_BANDWIDTH, default=0): number(0, 10000, "Mbit/s"),
            vol.Required(CONF_VERIFY_SSL, default=True): SWITCH,
            vol.Required(CONF_SAME_MACHINE, default=False): SWITCH,
        }
    ),
    build=_build,
    unique_id=_unique_id,
    place=(CONF_URL, CONF_USERNAME, CONF_PATH),
    secrets=(CONF_PASSWORD,),
)
