"""A folder on mounted storage."""

from pathlib import Path
from typing import Any, Final

import voluptuous as vol
from homeassistant.const import CONF_PATH

from ..const import CONF_BANDWIDTH, CONF_OFF_MACHINE, TARGET_FOLDER
from ..engine.config import FolderTargetConfig
from ..form_fields import SWITCH, TEXT, number
from .base import CONTENTS, NAME, Data, TargetKind


def _build(data: Data, common: dict[str, Any]) -> FolderTargetConfig:
    return FolderTargetConfig(
        **common, path=Path(data[CONF_PATH]), off_machine=data.get(CONF_OFF_MACHINE, False)
    )


FOLDER: Final = TargetKind(
    key=TARGET_FOLDER,
    model="Folder target",
    schema=vol.Schema(
        {
            **NAME,
            vol.Required(CONF_PATH): TEXT,
            **CONTENTS,
            vol.Required(CONF_OFF_MACHINE, default=False): SWITCH,
            vol.Optional(CONF_BANDWIDTH): number(0, 10000, "Mbit/s"),
        }
    ),
    build=_build,
    unique_id=lambda data: f"folder:{data[CONF_PATH]}",
    place=(CONF_PATH,),
)
