"""The action that tests a target, with the real engine."""

from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import device_registry as dr
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.media_pipeline.const import DOMAIN
from custom_components.media_pipeline.engine.marker import MARKER_NAME

from .conftest import Places

pytestmark = pytest.mark.usefixtures("socket_enabled")


def device_named(hass: HomeAssistant, name: str) -> str:
    found: list[str] = [device.id for device in dr.async_get(hass).devices if device.name == name]
    assert len(found) == 1
    return found[0]


async def trial(hass: HomeAssistant, device_id: str) -> Any:
    return await hass.services.async_call(
        DOMAIN, "test_target", {"device_id": device_id}, blocking=True, return_response=True
    )


async def test_a_target_is_tested(
    hass: HomeAssistant, places: Places, real_entry: MockConfigEntry
) -> None:
    before = sorted(places.target.iterdir())

    answer = await trial(hass, device_named(hass, "Second disk"))

    assert answer["target"] == "Second disk"
    assert answer["passed"], answer
    works = {c["capability"]: c["works"] for c in answer["capabilities"]}
    assert works["never_overwrite"]
    assert works["delete"]
    assert [path for path in places.target.iterdir() if path not in before] in (
        [],
        [places.target / MARKER_NAME],
    )


async def test_a_target_that_fails(
    hass: HomeAssistant, places: Places, real_entry: MockConfigEntry
) -> None:
    device = device_named(hass, "Second disk")
    await trial(hass, device)
    await hass.services.async_call(
        DOMAIN, "run", {"wait": True}, blocking=True, return_response=True
    )
    (places.target / MARKER_NAME).unlink()

    answer = await trial(hass, device)

    assert not answer["passed"]
    assert [(c["capability"], c["error"]) for c in answer["capabilities"]] == [
        ("connect", "marker_missing")
    ]


async def test_an_engine_that_stopped(hass: HomeAssistant, real_entry: MockConfigEntry) -> None:
    device = device_named(hass, "Second disk")
    await real_entry.runtime_data.engine.stop()
    with pytest.raises(HomeAssistantError) as error:
        await trial(hass, device)
    assert error.value.translation_key == "engine_stopped"


async def test_other_devices_are_refused(hass: HomeAssistant, real_entry: MockConfigEntry) -> None:
    other = MockConfigEntry(domain="other")
    other.add_to_hass(hass)
    dr.async_get(hass).async_get_or_create(
        config_entry_id=other.entry_id, identifiers={("other", "1")}, name="Lamp"
    )
    for device in (device_named(hass, "Photo folder"), device_named(hass, "Lamp"), "nothing"):
        with pytest.raises(ServiceValidationError) as error:
            await trial(hass, device)
        assert error.value.translation_key == "no_target_device"
