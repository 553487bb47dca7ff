"""A folder on an SSH server."""

from typing import Any, Final

import voluptuous as vol
from homeassistant.const import CONF_HOST, CONF_PASSWORD, CONF_PATH, CONF_PORT, CONF_USERNAME
from homeassistant.helpers.selector import TextSelector, TextSelectorConfig

from ..const import (
    CONF_BANDWIDTH,
    CONF_HOST_KEY,
    CONF_PARALLEL,
    CONF_PASSPHRASE,
    CONF_PRIVATE_KEY,
    CONF_PRIVATE_KEY_FILE,
    TARGET_SFTP,
)
from ..engine.config import SftpTargetConfig
from ..form_fields import KEY, KEY_FILE, SECRET, TEXT, number
from .base import CONTENTS, NAME, Data, TargetKind


def server_of(data: Data) -> dict[str, Any]:
    """Fields of ``SftpTargetConfig``: where the server is and how to log in."""
    return {
        "host": data[CONF_HOST],
        "port": int(data[CONF_PORT]),
        "username": data[CONF_USERNAME],
        "password": data.get(CONF_PASSWORD),
        "private_key": data.get(CONF_PRIVATE_KEY),
        "passphrase": data.get(CONF_PASSPHRASE),
        "host_key": data[CONF_HOST_KEY],
        "path": data[CONF_PATH],
    }


def place_on_server(data: Data) -> str:
    """A folder on a server, as text."""
    return f"{data[CONF_USERNAME]}@{data[CONF_HOST]}:{data[CONF_PORT]}:{data[CONF_PATH]}"


def _build(data: Data, common: dict[str, Any]) -> SftpTargetConfig:
    return SftpTargetConfig(**common, **server_of(data))


def _unique_id(data: Data) -> str:
    return f"sftp:{place_on_server(data)}"


SFTP: Final = TargetKind(
    key=TARGET_SFTP,
    model="SFTP target",
    schema=vol.Schema(
        {
            **NAME,
            vol.Required(CONF_HOST): TEXT,
            vol.Required(CONF_PORT, default=22): number(1, 65535),
            vol.Required(CONF_USERNAME): TextSelector(TextSelectorConfig(autocomplete="off")),
            vol.Optional(CONF_PASSWORD): SECRET,
            vol.Optional(CONF_PRIVATE_KEY): KEY,
            vol.Optional(CONF_PRIVATE_KEY_FILE): KEY_FILE,
            vol.Optional(CONF_PASSPHRASE): SECRET,
            vol.Required(CONF_PATH): TEXT,
            **CONTENTS,
            vol.Required(CONF_PARALLEL, default=8): number(1, 32),
            vol.Required(CONF_BANDWIDTH, default=0): number(0, 10000, "Mbit/s"),
        }
    ),
    build=_build,
    unique_id=_unique_id,
    place=(CONF_HOST, CONF_PORT, CONF_USERNAME, CONF_PATH),
    secrets=(CONF_PASSWORD, CONF_PRIVATE_KEY, CONF_PASSPHRASE),
)
