"""A two-factor code from anywhere: the form, the action, the answer to a notification."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.media_pipeline.const import DOMAIN
from tests.icloud_server.client import StandIn

from .conftest import Places
from .helpers import folder_entry
from .test_signing_in_again import answer, reauth_flow, set_up, until

type Start = Callable[..., StandIn]
SIGNED_IN = "binary_sensor.icloud_photos_signed_in"
OUTCOME = "event.icloud_photos_outcome"


def reply(hass: HomeAssistant, entry: MockConfigEntry, text: str, action: str = "") -> None:
    """What the companion app fires when somebody answers a notification."""
    hass.bus.async_fire(
        "mobile_app_notification_action",
        {"action": action or f"MEDIA_PIPELINE_CODE_{entry.entry_id}", "reply_text": text},
    )


async def told(hass: HomeAssistant, event_type: str) -> dict[str, Any]:
    """Wait until the event entity tells of this, and return what it says."""
    for _ in range(200):
        await hass.async_block_till_done()
        state = hass.states.get(OUTCOME)
        if state is not None and state.attributes.get("event_type") == event_type:
            return dict(state.attributes)
        await asyncio.sleep(0.05)
    raise AssertionError(f"not told: {event_type}")


async def test_wrong_then_right_answer(
    hass: HomeAssistant, places: Places, stand_in: Start
) -> None:
    server = stand_in()
    entry = await set_up(hass, places)
    await reauth_flow(hass)
    await told(hass, "code_required")
    for text in ("000000", "no idea", ""):
        reply(hass, entry, text)
        assert (await told(hass, "code_rejected"))["reason"] == "invalid_code"
        hass.states.async_set(OUTCOME, "unknown")
    await until(hass, SIGNED_IN, "off")
    assert hass.config_entries.flow.async_progress_by_handler(DOMAIN), "the form is still there"
    assert server.counts()["verify_code"] == 1, "what is no code is not sent to Apple"

    reply(hass, entry, f" {server.code[:3]} {server.code[3:]} ")
    await told(hass, "code_accepted")
    await until(hass, SIGNED_IN, "on")
    await hass.async_block_till_done()
    assert not hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert server.counts()["codes_sent"] == 1, "Apple was asked once"


async def test_too_old_then_a_new_one_by_action(
    hass: HomeAssistant, places: Places, stand_in: Start
) -> None:
    server = stand_in()
    entry = await set_up(hass, places)
    await reauth_flow(hass)
    server.control("set_account", code_expired=True)
    reply(hass, entry, server.code)
    assert (await told(hass, "code_rejected"))["reason"] == "code_expired"
    assert server.counts()["codes_sent"] == 1
    await hass.services.async_call(
        DOMAIN, "request_verification_code", {"sms": True}, blocking=True
    )
    assert server.counts()["codes_sent"] == 2
    # the app may change the case of an action's name
    reply(hass, entry, server.code, f"media_pipeline_code_{entry.entry_id}".upper())
    await until(hass, SIGNED_IN, "on")


async def test_answers_to_others_are_left_alone(
    hass: HomeAssistant, places: Places, stand_in: Start
) -> None:
    server = stand_in()
    entry = await set_up(hass, places)
    await reauth_flow(hass)
    for action in ("MEDIA_PIPELINE_CODE_another", "REPLY", f"{entry.entry_id}"):
        reply(hass, entry, server.code, action)
    await hass.async_block_till_done()
    await asyncio.sleep(0.3)
    assert "verify_code" not in server.counts()
    assert await hass.config_entries.async_unload(entry.entry_id)
    reply(hass, entry, server.code)
    await hass.async_block_till_done()
    assert "verify_code" not in server.counts()


async def test_the_form_and_the_action_tell_it_too(
    hass: HomeAssistant, places: Places, stand_in: Start
) -> None:
    server = stand_in()
    await set_up(hass, places)
    flow = await reauth_flow(hass)
    with pytest.raises(ServiceValidationError) as caught:
        await hass.services.async_call(
            DOMAIN, "submit_verification_code", {"code": "000000"}, blocking=True
        )
    assert caught.value.translation_key == "invalid_code"
    assert (await told(hass, "code_rejected"))["reason"] == "invalid_code"
    result = await answer(hass, flow, {"code": server.code})
    assert result["reason"] == "reauth_successful"
    await told(hass, "code_accepted")


async def test_a_folder_has_no_codes(hass: HomeAssistant, places: Places) -> None:
    entry = folder_entry(places.photos, places.archive)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    for action in ("request_verification_code", "submit_verification_code"):
        data = {"code": "123456"} if action.startswith("submit") else {}
        with pytest.raises(ServiceValidationError) as caught:
            await hass.services.async_call(DOMAIN, action, data, blocking=True)
        assert caught.value.translation_key == "not_supported_by_source"
    reply(hass, entry, "123456")
    await hass.async_block_till_done()
