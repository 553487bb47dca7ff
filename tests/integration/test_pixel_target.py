"""A phone on a real SSH server: the form with its one photo, and what the companion app decides."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from homeassistant.config_entries import ConfigSubentryDataWithId
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.media_pipeline.engine.marker import MARKER_NAME
from tests.support.phone import BROADCASTER, DENYING, Phone
from tests.support.sshd import find_sshd

from .conftest import Places
from .handing_over import load, make_entry
from .target_forms import answer, begin, only_target
from .test_real_run import call, settle, state

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
    data = {
        **form(phone, **changes),
        "kind": "pixel",
        "model": "pixel_1",
        "host_key": phone.access.host_key,
    }
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


async def begin_with(hass: HomeAssistant, entry: MockConfigEntry, model: str) -> Any:
    result = await begin(hass, entry, "pixel")
    assert result["step_id"] == "phone_model"
    return await answer(hass, result, {"model": model})


def suggested(result: Any) -> dict[str, Any]:
    """What the fields of a form begin with."""
    return {
        str(key): (key.description or {}).get("suggested_value")
        for key in result["data_schema"].schema
    }


async def test_a_phone_that_takes_no_photo(
    hass: HomeAssistant, fake_entry: MockConfigEntry, phone: Phone
) -> None:
    in_the_way = phone.root / "MediaPipeline"
    in_the_way.write_bytes(b"a file")
    result = await begin_with(hass, fake_entry, "pixel_1")
    result = await answer(hass, result, form(phone))
    result = await answer(hass, result, {})
    assert (result["step_id"], result["errors"]) == ("pixel", {"base": "target_path_missing"})
    assert not fake_entry.subentries
    in_the_way.unlink()
    result = await answer(hass, result, form(phone))
    result = await answer(hass, result, {})
    assert result["step_id"] == "one_photo"


async def test_flow(hass: HomeAssistant, fake_entry: MockConfigEntry, phone: Phone) -> None:
    result = await begin_with(hass, fake_entry, "pixel_1")
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
    assert (data["kind"], data["model"], data["port"]) == ("pixel", "pixel_1", phone.port)

    result = await fake_entry.start_subentry_reconfigure_flow(
        hass, only_target(fake_entry).subentry_id
    )
    assert result["step_id"] == "phone_model"
    assert suggested(result) == {"model": "pixel_1"}
    result = await answer(hass, result, {"model": "other"})
    assert result["step_id"] == "phone_counts"
    result = await answer(hass, result, {})
    now = suggested(result)
    assert (now["content"], now["window"]) == ("originals", 1), "what was chosen stays"
    result = await answer(hass, result, form(phone, keep_days=30))
    result = await answer(hass, result, {})
    assert result["type"] is FlowResultType.ABORT
    data = dict(only_target(fake_entry).data)
    assert (data["model"], data["content"], data["keep_days"]) == ("other", "originals", 30)


@pytest.mark.parametrize(
    ("model", "warning", "content", "window"),
    [
        ("pixel_1", False, "originals", 0),
        ("pixel_2_to_5", False, "originals", 0),
        ("other", True, "compressed", 5),
    ],
)
async def test_the_model_says_what_the_form_starts_with(
    hass: HomeAssistant,
    fake_entry: MockConfigEntry,
    model: str,
    warning: bool,
    content: str,
    window: int,
) -> None:
    result = await begin_with(hass, fake_entry, model)
    if warning:
        assert result["step_id"] == "phone_counts"
        result = await answer(hass, result, {})
    assert result["step_id"] == "pixel"
    assert not result["errors"]
    start = suggested(result)
    assert (start["content"], start["window"]) == (content, window)


@pytest.mark.parametrize(
    ("scanner", "error"),
    [
        ("#!/bin/sh\nexit 124\n", "scan_hung"),  # what a time limit there answers
        (None, "scan_missing"),
        ("#!/bin/sh\nexit 1\n", "scan_failed"),
    ],
)
@pytest.mark.parametrize("am", [BROADCASTER, DENYING])
async def test_flow_says_how_the_phone_is_told(
    hass: HomeAssistant,
    fake_entry: MockConfigEntry,
    phone: Phone,
    scanner: str | None,
    error: str,
    am: str,
) -> None:
    """As without Termux:API; the photo arrived, so the phone may be stored."""
    phone.give_scanner(scanner)
    phone.give_am(am)
    result = await begin_with(hass, fake_entry, "pixel_1")
    result = await answer(hass, result, form(phone))
    result = await answer(hass, result, {})
    assert result["step_id"] == ("told_by_broadcast" if am == BROADCASTER else "not_told")
    assert result["errors"] == {"base": error}
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
    assert await run_with("on", "Home", "nan") == "phone_too_hot"
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


async def test_the_button(hass: HomeAssistant, places: Places, phone: Phone) -> None:
    commands: list[dict[str, Any]] = []

    async def notify(service_call: ServiceCall) -> None:
        commands.append(dict(service_call.data))

    async def press() -> None:
        await hass.services.async_call(
            "button", "press", {"entity_id": "button.pixel_rescan"}, blocking=True
        )

    hass.services.async_register("notify", "mobile_app_pixel", notify)
    target = phone_target(
        phone,
        charging_entity="binary_sensor.pixel_is_charging",
        notify_action="notify.mobile_app_pixel",
    )
    await load(hass, make_entry(hass, places, target))
    hass.states.async_set("binary_sensor.pixel_is_charging", "on")
    assert (await call(hass, "run", wait=True))["outcome"] == "completed"
    await settle(hass)
    before = phone.told
    hass.states.async_set("binary_sensor.pixel_is_charging", "off")
    await press()
    assert sorted(phone.told) == sorted([*before, *(str(path) for path in lying(phone))])
    assert len(phone.told) == 2 * len(before) > 0
    assert len(commands) == 2, "Google Photos is opened to look"
    assert state(hass, "sensor.pixel_state") == "ok"

    async def failing(service_call: ServiceCall) -> None:
        raise ValueError("no phone")

    hass.services.async_register("notify", "mobile_app_pixel", failing)
    await press()  # it is but a nudge

    async def refused() -> str | None:
        with pytest.raises(HomeAssistantError) as caught:
            await press()
        return caught.value.translation_key

    phone.give_scanner(None)
    assert await refused() == "scan_missing"
    await phone.stop()
    assert await refused() == "target_unreachable"
