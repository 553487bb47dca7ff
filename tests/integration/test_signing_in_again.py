"""Reauth and reconfigure of an iCloud entry, with the real engine against the stand-in."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.media_pipeline.const import DOMAIN
from custom_components.media_pipeline.engine.marker import MARKER_NAME, claim_folder
from tests.icloud_server.client import StandIn

from .conftest import Places
from .fake_engine import FakeEngine
from .helpers import PASSWORD, folder_entry, icloud_entry

type Start = Callable[..., StandIn]


async def answer(hass: HomeAssistant, result: Any, user_input: dict[str, Any]) -> Any:
    return await hass.config_entries.flow.async_configure(result["flow_id"], user_input)


async def set_up(hass: HomeAssistant, places: Places, **changes: Any) -> MockConfigEntry:
    entry = icloud_entry(places.archive, **changes)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


async def reauth_flow(hass: HomeAssistant) -> Any:
    """Wait until the engine has looked at its source and asked for a person."""
    for _ in range(200):
        await asyncio.sleep(0.05)
        if flows := hass.config_entries.flow.async_progress_by_handler(DOMAIN):
            (flow,) = flows
            assert flow["context"]["source"] == SOURCE_REAUTH
            return flow
    raise AssertionError("nobody was asked to sign in")


async def until(hass: HomeAssistant, entity_id: str, wanted: str) -> None:
    for _ in range(200):
        state = hass.states.get(entity_id)
        if state is not None and state.state == wanted:
            return
        await asyncio.sleep(0.05)
        await hass.async_block_till_done()
    raise AssertionError(f"{entity_id} is {state.state if state else None}, not {wanted}")


async def test_code_is_enough(hass: HomeAssistant, places: Places, stand_in: Start) -> None:
    """A new machine: Apple asks for a code once, and the flow hands it to the same session."""
    server = stand_in()
    await set_up(hass, places)
    flow = await reauth_flow(hass)
    await until(hass, "binary_sensor.icloud_photos_signed_in", "off")
    assert flow["step_id"] == "code", "no password is asked for while only the code is missing"
    result = await answer(hass, flow, {"code": "000000"})
    assert result["errors"] == {"code": "invalid_code"}
    result = await answer(hass, result, {"code": server.code})
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reauth_successful"
    await until(hass, "binary_sensor.icloud_photos_signed_in", "on")
    await until(hass, "binary_sensor.icloud_photos_problem", "off")
    await until(hass, "sensor.icloud_photos_icloud_total", "186.264514923096")
    assert server.counts()["codes_sent"] == 1, "Apple was asked once"


async def test_code_is_enough_on_a_slow_machine(
    hass: HomeAssistant, places: Places, stand_in: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Apple answers while the entry's entities are still being made."""
    stand_in()
    set_up_platforms = hass.config_entries.async_forward_entry_setups

    async def slowly(entry: MockConfigEntry, platforms: Any) -> None:
        for _ in range(200):
            await asyncio.sleep(0.05)
            if "code_required" in entry.runtime_data.data.problems:
                break
        await set_up_platforms(entry, platforms)

    monkeypatch.setattr(hass.config_entries, "async_forward_entry_setups", slowly)
    await set_up(hass, places)
    assert (await reauth_flow(hass))["step_id"] == "code"


async def test_code_by_action(hass: HomeAssistant, places: Places, stand_in: Start) -> None:
    server = stand_in()
    await set_up(hass, places)
    await reauth_flow(hass)
    await hass.services.async_call(
        DOMAIN, "submit_verification_code", {"code": server.code}, blocking=True
    )
    await until(hass, "binary_sensor.icloud_photos_signed_in", "on")
    assert not hass.config_entries.flow.async_progress_by_handler(DOMAIN)


async def test_wrong_password(hass: HomeAssistant, places: Places, stand_in: Start) -> None:
    server = stand_in()
    entry = await set_up(hass, places, password="old")
    flow = await reauth_flow(hass)
    assert flow["step_id"] == "reauth_confirm"
    result = await answer(hass, flow, {"password": "wrong too"})
    assert result["errors"] == {"password": "invalid_credentials"}
    result = await answer(hass, result, {"password": PASSWORD})
    assert result["step_id"] == "code"
    result = await answer(hass, result, {"code": server.code})
    assert result["reason"] == "reauth_successful"
    await hass.async_block_till_done()
    assert entry.data["password"] == PASSWORD
    assert entry.state is ConfigEntryState.LOADED
    await until(hass, "binary_sensor.icloud_photos_signed_in", "on")
    assert server.counts()["codes_sent"] == 1


async def test_stored_password_again(hass: HomeAssistant, places: Places, stand_in: Start) -> None:
    """Apple locked the account for a while; later the stored password is good again."""
    server = stand_in()
    entry = await set_up(hass, places)
    await reauth_flow(hass)
    await hass.services.async_call(
        DOMAIN, "submit_verification_code", {"code": server.code}, blocking=True
    )
    result = await entry.start_reauth_flow(hass)
    assert result["step_id"] == "reauth_confirm"
    result = await answer(hass, result, {})
    assert result["reason"] == "reauth_successful"
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    assert server.counts()["codes_sent"] == 1


async def test_not_loaded(
    hass: HomeAssistant, places: Places, stand_in: Start, fake_engines: list[FakeEngine]
) -> None:
    server = stand_in()
    entry = icloud_entry(places.archive)
    entry.add_to_hass(hass)
    result = await entry.start_reauth_flow(hass)
    result = await answer(hass, result, {"password": PASSWORD})
    result = await answer(hass, result, {"code": server.code})
    assert result["reason"] == "reauth_successful"
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED


async def test_consent_is_a_repair(
    hass: HomeAssistant, places: Places, stand_in: Start, issue_registry: ir.IssueRegistry
) -> None:
    server = stand_in()
    entry = await set_up(hass, places)
    await reauth_flow(hass)
    server.control("set_account", protected=True, consented=False)
    await hass.services.async_call(
        DOMAIN, "submit_verification_code", {"code": server.code}, blocking=True
    )
    await hass.services.async_call(
        DOMAIN, "run", {"wait": True}, blocking=True, return_response=True
    )
    await asyncio.sleep(0.1)
    await hass.async_block_till_done()
    assert issue_registry.async_get_issue(DOMAIN, f"consent_required_{entry.entry_id}")


async def test_reconfigure_account(
    hass: HomeAssistant, places: Places, stand_in: Start, fake_engines: list[FakeEngine]
) -> None:
    server = stand_in(shared_library=2)
    entry = await set_up(hass, places)
    result = await entry.start_reconfigure_flow(hass)
    assert result["type"] is FlowResultType.MENU
    result = await answer(hass, result, {"next_step_id": "account"})
    assert result["description_placeholders"] == {"account": "someone@example.com"}
    result = await answer(hass, result, {"password": "wrong", "china": False})
    assert result["errors"] == {"password": "invalid_credentials"}
    result = await answer(hass, result, {"china": False})
    result = await answer(hass, result, {"code": server.code})
    assert result["step_id"] == "libraries"
    (key,) = result["data_schema"].schema
    assert key.default() == ["PrimarySync"]
    options = result["data_schema"].schema[key].config["options"]
    chosen = [option["value"] for option in options]
    result = await answer(hass, result, {"libraries": chosen})
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert entry.data["libraries"] == chosen
    assert [engine.running for engine in fake_engines] == [False, True]
    assert (places.archive / MARKER_NAME).exists()


@pytest.mark.parametrize("icloud", [True, False])
async def test_reconfigure_archive(
    hass: HomeAssistant, places: Places, fake_engines: list[FakeEngine], icloud: bool
) -> None:
    entry = icloud_entry(places.archive) if icloud else folder_entry(places.photos, places.archive)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    result = await entry.start_reconfigure_flow(hass)
    if icloud:
        result = await answer(hass, result, {"next_step_id": "move_archive"})
    assert result["step_id"] == "move_archive"
    moved, foreign, empty = (places.root / name for name in ("moved", "foreign", "empty"))
    foreign.mkdir()
    claim_folder(foreign)
    empty.mkdir()
    places.archive.rename(moved)
    for path, error in (
        ("archive", "not_absolute"),
        (str(places.root / "nothing"), "folder_missing"),
        (str(empty), "archive_not_there"),
        (str(foreign), "archive_foreign"),
        (str(places.config / "x"), "in_config"),
    ):
        result = await answer(hass, result, {"archive": path})
        assert result["errors"] == {"archive": error}
    result = await answer(hass, result, {"archive": str(moved)})
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert Path(entry.data["archive"]) == moved
    assert fake_engines[-1].config.archive == moved


async def test_options(
    hass: HomeAssistant, fake_entry: MockConfigEntry, fake_engines: list[FakeEngine]
) -> None:
    result: Any = await hass.config_entries.options.async_init(fake_entry.entry_id)
    assert result["step_id"] == "init"
    defaults = {str(key): key.default() for key in result["data_schema"].schema}
    assert defaults["required_copies"] == 2
    assert defaults["min_saving"] == 10
    assert (defaults["photo_format"], defaults["photo_quality"]) == ("jpeg", 0)
    changed = defaults | {
        "required_copies": 3.0,
        "min_saving": 25.0,
        "protect_hidden": False,
        "photo_format": "avif",
        "photo_quality": 80.0,
        "photo_megapixels": 16.0,
        "care": "careful",
        "video_codec": "av1",
        "video_megapixels": 2.0,
        "dolby_vision": True,
        "captions": True,
    }
    result = await hass.config_entries.options.async_configure(result["flow_id"], changed)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    whole = {"required_copies": 3, "min_saving": 25, "photo_quality": 80, "photo_megapixels": 16}
    whole["video_megapixels"] = 2
    assert fake_entry.options == changed | whole
    config = fake_engines[-1].config
    assert config.safety.required_copies == 3
    assert not config.safety.protect_hidden
    assert config.compress.min_saving == 0.25
    assert config.compress.photo_format == "avif"
    assert (config.compress.photo_quality, config.compress.photo_megapixels) == (80, 16)
    assert config.compress.captions
    assert (config.compress.care, config.compress.video_codec) == ("careful", "av1")
    assert (config.compress.video_megapixels, config.compress.dolby_vision) == (2, True)

    result = await hass.config_entries.options.async_init(fake_entry.entry_id)
    shown = {
        str(key): (key.description or {}).get("suggested_value")
        for key in result["data_schema"].schema
    }
    assert shown["required_copies"] == 3
