"""Entries whose one target things are handed over to."""

from typing import Any

from homeassistant.config_entries import ConfigSubentryDataWithId
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from .conftest import Places
from .helpers import folder_entry


def action_target(action: str = "test.take", **data: Any) -> ConfigSubentryDataWithId:
    return ConfigSubentryDataWithId(
        data={
            "kind": "action",
            "action": action,
            "data": {"file": "{{ path }}", "caption": "{{ filename }} ({{ kind }}, {{ size }})"},
            "content": "originals",
            "per_minute": 0,
            "time_limit": 20,
            **data,
        },
        subentry_id="target-1",
        subentry_type="target",
        title="Family chat",
        unique_id="action",
    )


def make_entry(
    hass: HomeAssistant, places: Places, target: ConfigSubentryDataWithId
) -> MockConfigEntry:
    plain = folder_entry(places.photos, places.archive)
    entry = MockConfigEntry(
        domain=plain.domain,
        title=plain.title,
        unique_id=plain.unique_id,
        data=dict(plain.data),
        options={**plain.options, "compress_photos": False},
        subentries_data=[target],
    )
    entry.add_to_hass(hass)
    return entry


async def load(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()


def photos(places: Places) -> set[bytes]:
    return {path.read_bytes() for path in places.photos.iterdir()}
