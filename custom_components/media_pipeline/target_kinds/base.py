"""What Home Assistant's side knows of a kind of target."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import voluptuous as vol
from homeassistant.const import CONF_NAME

from ..const import (
    CONF_BANDWIDTH,
    CONF_CONTENT,
    CONF_ENCRYPTION_KEY,
    CONF_HIDE_NAMES,
    CONF_PARALLEL,
    CONF_PHOTO_FORMAT,
    CONF_RULES,
    CONF_SET_RULES,
)
from ..engine.config import EncryptionConfig, TargetConfig
from ..engine.media.jobs import PhotoFormat
from ..engine.model import Content
from ..form_fields import SWITCH, TEXT, one_of
from ..target_rules import is_gated, rules_of

CONTENT = one_of(Content, CONF_CONTENT)
NAME: Mapping[vol.Marker, Any] = {vol.Required(CONF_NAME): TEXT}
CONTENTS: Mapping[vol.Marker, Any] = {
    vol.Required(CONF_CONTENT, default=Content.ORIGINALS.value): CONTENT,
    vol.Optional(CONF_PHOTO_FORMAT): one_of(PhotoFormat, CONF_PHOTO_FORMAT),
}

type Data = Mapping[str, Any]
"""A target's subentry as it is stored."""

_MEGABIT = 125_000
"""Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetKind:
    """One kind; see ``registry`` for all of them."""

    key: str
    """Stored as ``kind``; also the name of its step in the flow and of its texts."""
    model: str
    """Shown on the target's device."""
    schema: vol.Schema
    """Its form: name, what it is reached by, what it receives."""
    build: Callable[[Data, dict[str, Any]], TargetConfig]
    """The engine's configuration; the second are the fields that all kinds have."""
    unique_id: Callable[[Data], str]
    """The same for two targets that are one place."""
    place: tuple[str, ...]
    """Fields that say where the copies lie: a change of one of them makes another place of it."""
    secrets: tuple[str, ...] = ()
    """Fields that are never shown again; left empty they stay as they are."""

    def __post_init__(self) -> None:
        """Every form ends with the same question."""
        more = {vol.Required(CONF_SET_RULES, default=False): SWITCH}
        object.__setattr__(self, "schema", self.schema.extend(more))


def common(data: Data, target_id: str, name: str) -> dict[str, Any]:
    """What every kind of target is told alike (see ``engine.config.TargetConfig``)."""
    values: dict[str, Any] = {
        "target_id": target_id,
        "name": name,
        "content": Content(data.get(CONF_CONTENT, Content.ORIGINALS)),
        "bandwidth": round(data.get(CONF_BANDWIDTH, 0) * _MEGABIT) or None,
    }
    if CONF_PHOTO_FORMAT in data:
        values["photo_format"] = PhotoFormat(data[CONF_PHOTO_FORMAT])
    rules = data.get(CONF_RULES, {})
    values["rules"] = rules_of(rules)
    values["gated"] = is_gated(rules)
    if CONF_ENCRYPTION_KEY in data:
        values["encryption"] = EncryptionConfig(
            data[CONF_ENCRYPTION_KEY], hide_names=data.get(CONF_HIDE_NAMES, False)
        )
    if CONF_PARALLEL in data:
        values["parallel"] = int(data[CONF_PARALLEL])
    return values
