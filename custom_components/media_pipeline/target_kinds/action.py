"""Any action of Home Assistant."""

import json
from hashlib import sha256
from typing import Any, Final

import voluptuous as vol
from homeassistant.helpers.selector import ObjectSelector

from ..const import (
    CONF_ACTION,
    CONF_CONTENT,
    CONF_DATA,
    CONF_PER_MINUTE,
    CONF_SEND_ONE,
    CONF_TIME_LIMIT,
    TARGET_ACTION,
)
from ..engine.model import Content
from ..engine.targets.action import ActionTargetConfig
from ..form_fields import SWITCH, TEXT, number
from .base import CONTENT, NAME, Data, TargetKind


def _build(data: Data, common: dict[str, Any]) -> ActionTargetConfig:
    return ActionTargetConfig(
        **common,
        action=data[CONF_ACTION],
        data=_text(data),
        per_minute=int(data[CONF_PER_MINUTE]),
        time_limit=float(data[CONF_TIME_LIMIT]),
    )


def _text(data: Data) -> str:
    return json.dumps(data[CONF_DATA], sort_keys=True)


def _unique_id(data: Data) -> str:
    """Two targets may call the same action with other data: another album, another person."""
    return f"action:{data[CONF_ACTION]}:{sha256(_text(data).encode()).hexdigest()[:16]}"


ACTION: Final = TargetKind(
    key=TARGET_ACTION,
    model="Action",
    schema=vol.Schema(
        {
            **NAME,
            vol.Required(CONF_ACTION): TEXT,
            vol.Required(CONF_DATA, default={"file": "{{ path }}"}): ObjectSelector(),
            vol.Required(CONF_CONTENT, default=Content.COMPRESSED.value): CONTENT,
            vol.Required(CONF_PER_MINUTE, default=10): number(0, 600),
            vol.Required(CONF_TIME_LIMIT, default=120): number(5, 3600, "s"),
            vol.Required(CONF_SEND_ONE, default=False): SWITCH,
        }
    ),
    build=_build,
    unique_id=_unique_id,
    place=(CONF_ACTION, CONF_DATA),
)
