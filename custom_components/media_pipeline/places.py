"""Folders that are taken already: no two of them may lie in each other."""

from pathlib import Path
from typing import Any

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_HOST, CONF_PATH
from homeassistant.core import HomeAssistant

from .const import (
    CONF_ARCHIVE,
    CONF_BUCKET,
    CONF_FOLDER,
    CONF_KIND,
    CONF_REMOTE,
    CONF_SOURCE,
    DOMAIN,
    SOURCE_FOLDER,
    TARGET_FOLDER,
)
from .engine_config import target_subentries


def folders_in_use(
    hass: HomeAssistant,
    moving: ConfigEntry[Any] | None = None,
    moving_target: str | None = None,
) -> list[Path]:
    """Sources, archives and folder targets of all entries.

    Without the archive of ``moving``, or, with ``moving_target``, without that target instead.
    """
    places: list[Path] = []
    for entry in hass.config_entries.async_entries(DOMAIN):
        if entry.data[CONF_SOURCE] == SOURCE_FOLDER:
            places.append(Path(entry.data[CONF_FOLDER]))
        if entry is not moving or moving_target is not None:
            places.append(Path(entry.data[CONF_ARCHIVE]))
        places.extend(
            Path(subentry.data[CONF_PATH])
            for subentry in target_subentries(entry)
            if subentry.data[CONF_KIND] == TARGET_FOLDER and subentry.subentry_id != moving_target
        )
    return places


def place_of_target(target: ConfigSubentry) -> str:
    """Where a target is, as people are told."""
    told = (target.data.get(field) for field in (CONF_PATH, CONF_REMOTE, CONF_BUCKET))
    place = str(next(filter(None, told), target.title))
    host = target.data.get(CONF_HOST)
    return f"{host}:{place}" if host else place
