"""A phone on a real SSH server: the form with its one photo, and what the companion app decides."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from homeassistant.config_entries import ConfigSubentryDataWithId
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.media_pipeline.engine.marker import MARKER_NAME
from tests.support.phone import Phone
from tests.support.sshd import find_sshd

from .conftest import Places
from .test_action_target import load, make_entry
from .test_real_run import call, settle, state
from .test_target_flow import answer, begin, only_target

pytestmark = [
    pytest.mark.usefixtures("socket_enabled"),
    pytest.mark.skipif(
        find_sshd() is None and not os.environ.get("CI"), reason="sshd is not installed"
    ),
]


@pytest.fixture
async def phone(places: Places, socket_enabled: None) -> AsyncIterator[Phone]:
    root = places.root / "dcim"
    root.mkdir()
    server = await Phone(root, places.root / "phone").start()
    yield server
    await server.close()


def form(phone: Phone, **changes: Any) -> dict[str, Any]:
    access = phone.access
    return {
        "name": "Pixel",
        "model": "pixel_1",
        "host": access.host,
        "port": access.port,
        "username": access.username,
        "private_key": access.private_key,
        "path": str(phone.root / "MediaPipeline"),
        "content": "originals",
        "bandwidth": 0,
        "window": 1,
        "max_temperature": 38,
        "prune": False,
        "keep_days": 14,
        **changes,
    }


def phone_target(phone: Phone, **changes: Any) -> ConfigSubentryDataWithId:
    data = {**form(phone, **changes), "kind": "pixel", "host_key": phone.access.host_key}
    del data["name"]
    return ConfigSubentryDataWithId(
        data=data,
        subentry_id="target-1",
        subentry_type="target",
        title="Pixel",
        unique_id="pixel",
    )


def lying(phone: Phone) -> list[Path]:
    return sorted(path for path in phone.root.rglob("*") if path.suffix.upper() == ".JPG")


async def test_flow(hass: HomeAssistant, fake_entry: MockConfigEntry, phone: Phone) -> None:
    result = await begin(hass, fake_entry, "pixel")
    assert result["step_id"] == "pixel"
    result = await answer(hass, result, form(phone))
    assert result["step_id"] == "host_key"
    result = await answer(hass, result, {})
    assert result["step_id"] == "one_photo"
    assert not result["errors"]
    assert result["description_placeholders"]["window"] == "1.0"
    (told,) = phone.told
    assert told.startswith(f"{phone.root}/MediaPipeline/media-pipeline-test-")
    assert lying(phone) == [], "removed again"
    result = await answer(hass, result, {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert (phone.root / "MediaPipeline" / MARKER_NAME).exists()
    data = dict(only_target(fake_entry).data)
    assert (data["kind"], data["port"]) == ("pixel", phone.port)

    result = await fake_entry.start_subentry_reconfigure_flow(
        hass, only_target(fake_entry).subentry_id
    )
    assert result["step_id"] == "pixel"


async def test_flow_says_that_the_scan_hangs(
    hass: HomeAssistant,
    fake_entry: MockConfigEntry,
    phone: Phone,
) -> None:
    """As it does without Termux:API; the photo arrived, so the phone may be stored."""
    phone.give_scanner("#!/bin/sh\nexit 124\n")  # what a time limit there answers
    result = await begin(hass, fake_entry, "pixel")
    result = await answer(hass, result, form(phone))
    result = await answer(hass, result, {})
    assert result["step_id"] == "one_photo"
    assert result["errors"] == {"base": "scan_hung"}
    phone.give_scanner(None)
    result = await answer(hass, result, {})
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_the_companion_app_decides(hass: HomeAssistant, places: Places, phone: Phone) -> None:
    commands: list[dict[str, Any]] = []

    async def notify(service_call: ServiceCall) -> None:
        commands.append(dict(service_call.data))

    hass.services.async_register("notify", "mobile_app_pixel", notify)
    target = phone_target(
        phone,
        charging_entity="binary_sensor.pixel_is_charging",
        wifi_entity="sensor.pixel_wifi_connection",
        wifi_name="Home",
        temperature_entity="sensor.pixel_battery_temperature",
        notify_action="notify.mobile_app_pixel",
    )
    await load(hass, make_entry(hass, places, target))

    async def run_with(charging: str | None, wifi: str, temperature: str) -> str:
        if charging is not None:
            hass.states.async_set("binary_sensor.pixel_is_charging", charging)
        hass.states.async_set("sensor.pixel_wifi_connection", wifi)
        hass.states.async_set("sensor.pixel_battery_temperature", temperature)
        assert (await call(hass, "run", wait=True))["outcome"] == "completed"
        await settle(hass)
        assert state(hass, "binary_sensor.photo_folder_problem") == "off"
        return state(hass, "sensor.pixel_state")

    assert await run_with(None, "Home", "30") == "phone_not_charging", "not to know is no"
    assert await run_with("off", "Home", "30") == "phone_not_charging"
    assert await run_with("on", "<not connected>", "30") == "phone_not_on_wifi"
    assert await run_with("on", "Neighbour", "30") == "phone_not_on_wifi"
    assert await run_with("on", "Home", "41.5") == "phone_too_hot"
    assert await run_with("on", "Home", "unavailable") == "phone_too_hot"
    assert lying(phone) == []
    assert commands == []
    assert await run_with("on", "Home", "30") == "ok"
    assert len(lying(phone)) == 4
    assert sorted(phone.told) == [str(path) for path in lying(phone)]
    assert commands == [
        {
            "message": "command_launch_app",
            "data": {"package_name": "com.google.android.apps.photos"},
        }
    ]
    assert state(hass, "sensor.pixel_delivered") == "4"
    assert state(hass, "sensor.pixel_on_the_phone") == "4"
    assert state(hass, "sensor.pixel_backed_up_inferred") == "0"
    assert hass.states.get("sensor.pixel_copies") is None
    lying(phone)[0].unlink()
    assert await run_with("on", "Home", "30") == "ok"
    assert state(hass, "sensor.pixel_backed_up_inferred") == "1"
    assert state(hass, "sensor.pixel_on_the_phone") == "3"
    assert len(lying(phone)) == 3, "sent once"
    assert state(hass, "sensor.photo_folder_protected") == "0.0"
