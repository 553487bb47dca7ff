"""A folder target on Home Assistant's network storage waits while that is not connected."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.media_pipeline.network_storage import async_connection_sensor

from .conftest import Places
from .fake_engine import FakeEngine
from .helpers import folder_entry

SENSOR = "binary_sensor.nas_connected"


def enable(hass: HomeAssistant, *, disabled: bool = False) -> None:
    er.async_get(hass).async_get_or_create(
        "binary_sensor",
        "hassio",
        "home_assistant_mount_nas_state",
        suggested_object_id="nas_connected",
        disabled_by=er.RegistryEntryDisabler.INTEGRATION if disabled else None,
    )


async def test_which_storage_a_folder_lies_on(hass: HomeAssistant) -> None:
    assert async_connection_sensor(hass, "/media/nas/photos") is None
    enable(hass)
    assert async_connection_sensor(hass, "/media/nas/photos") == SENSOR
    assert async_connection_sensor(hass, "/share/nas") == SENSOR
    for folder in ("/media/other", "/media", "/mnt/nas/photos", "/media/photos/nas"):
        assert async_connection_sensor(hass, folder) is None


async def test_a_disabled_sensor_tells_nothing(hass: HomeAssistant) -> None:
    enable(hass, disabled=True)
    assert async_connection_sensor(hass, "/media/nas/photos") is None


async def test_the_target_waits(
    hass: HomeAssistant, places: Places, fake_engines: list[FakeEngine]
) -> None:
    enable(hass)
    hass.states.async_set(SENSOR, "off")
    entry: MockConfigEntry = folder_entry(places.photos, places.archive, places.target)
    entry.add_to_hass(hass)
    [target] = entry.subentries.values()
    hass.config_entries.async_update_subentry(
        entry, target, data={**target.data, "path": "/media/nas/photos"}
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()

    def told() -> list[bool]:
        calls = [call for name, call in fake_engines[-1].calls if name == "set_gate"]
        assert {call["target_id"] for call in calls} <= {target.subentry_id}
        return [call["is_open"] for call in calls]

    assert told() == [False]
    for state in ("on", "unavailable", "off"):
        hass.states.async_set(SENSOR, state)
        await hass.async_block_till_done()
    assert told() == [False, True, False]
