"""Setting up iCloud against the stand-in: sign-in, code, libraries, and what Apple may say."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from homeassistant.config_entries import SOURCE_USER, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from custom_components.media_pipeline import consent
from custom_components.media_pipeline.const import DOMAIN
from tests.icloud_server.client import StandIn

from .conftest import Places
from .fake_engine import FakeEngine
from .helpers import APPLE_ID, PASSWORD, icloud_entry

type Start = Callable[..., StandIn]
LOGIN = {"apple_id": " Someone@Example.com ", "password": PASSWORD, "china": False}
SAFETY = {
    "required_copies": 3,
    "require_off_machine": True,
    "min_age_days": 60,
    "protect_favorites": True,
    "protect_hidden": True,
    "compress_photos": True,
    "compress_videos": True,
}


async def begin(hass: HomeAssistant) -> Any:
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    return await answer(hass, result, {"next_step_id": "icloud"})


async def answer(hass: HomeAssistant, result: Any, user_input: dict[str, Any]) -> Any:
    return await hass.config_entries.flow.async_configure(result["flow_id"], user_input)


async def to_libraries(hass: HomeAssistant, server: StandIn) -> Any:
    result = await answer(hass, await begin(hass), LOGIN)
    assert result["step_id"] == "code", result["errors"]
    return await answer(hass, result, {"code": server.code})


async def test_the_way_through(
    hass: HomeAssistant, places: Places, fake_engines: list[FakeEngine], stand_in: Start
) -> None:
    server = stand_in(shared_library=3)
    result = await to_libraries(hass, server)
    assert result["step_id"] == "libraries"
    (key,) = result["data_schema"].schema
    assert key.default() == ["PrimarySync"], "shared libraries are for their owner to choose"
    options = result["data_schema"].schema[key].config["options"]
    assert [option["label"].split(" (")[0] for option in options] == [
        "Personal Library",
        "Shared Library",
    ]
    chosen = [option["value"] for option in options]

    result = await answer(hass, result, {"libraries": []})
    assert result["errors"] == {"libraries": "no_libraries"}
    result = await answer(hass, result, {"libraries": chosen})
    form = {"archive": str(places.archive), "archive_off_machine": False}
    result = await answer(hass, result, form)
    result = await answer(hass, result, SAFETY)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()

    entry = result["result"]
    assert entry.state is ConfigEntryState.LOADED
    assert entry.title == "iCloud Photos", "no address in what becomes entity ids"
    assert entry.unique_id == APPLE_ID
    data = dict(entry.data)
    assert data.pop("archive_id")
    assert data.pop("archive_device")
    assert data == {
        "source": "icloud",
        "apple_id": APPLE_ID,
        "password": PASSWORD,
        "china": False,
        "libraries": chosen,
        "archive": str(places.archive),
    }
    assert dict(entry.options) == {"archive_off_machine": False, **SAFETY}
    session_dir = fake_engines[0].config.private_dir / "session"
    assert list(session_dir.iterdir()), "the engine finds the trusted session"
    assert session_dir.stat().st_mode & 0o777 == 0o700
    assert server.counts()["codes_sent"] == 1


async def test_wrong_password_then_right(
    hass: HomeAssistant, fake_engines: list[FakeEngine], stand_in: Start
) -> None:
    server = stand_in()
    result = await answer(hass, await begin(hass), LOGIN | {"password": "wrong"})
    assert result["errors"] == {"password": "invalid_credentials"}
    suggested = {
        str(key): (key.description or {}).get("suggested_value")
        for key in result["data_schema"].schema
    }
    assert suggested["apple_id"]
    assert suggested["password"] is None, "a password is never sent back"
    result = await answer(hass, result, LOGIN)
    result = await answer(hass, result, {"code": server.code})
    assert result["step_id"] == "libraries"


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        ({"op": "set_account", "locked": True}, "account_locked"),
        ({"op": "fault", "operation": "signin.*", "status": 503}, "throttled"),
        ({"op": "fault", "operation": "signin.*", "drop": True}, "source_unreachable"),
    ],
)
async def test_trouble_at_sign_in_then_none(
    hass: HomeAssistant,
    fake_engines: list[FakeEngine],
    stand_in: Start,
    trouble: dict[str, Any],
    error: str,
) -> None:
    server = stand_in()
    server.control(**trouble)
    result = await answer(hass, await begin(hass), LOGIN)
    assert result["errors"] == {"base": error}
    server.control("clear_faults")
    server.control("set_account", locked=False)
    result = await answer(hass, result, LOGIN)
    assert result["step_id"] == "code"


async def test_wrong_code_new_code_and_none(
    hass: HomeAssistant, fake_engines: list[FakeEngine], stand_in: Start
) -> None:
    server = stand_in()
    result = await answer(hass, await begin(hass), LOGIN)
    assert result["description_placeholders"] == {"account": APPLE_ID}
    result = await answer(hass, result, {})
    assert result["errors"] == {"code": "code_missing"}
    result = await answer(hass, result, {"code": "000000"})
    assert result["errors"] == {"code": "invalid_code"}
    sent = server.counts()["codes_sent"]
    result = await answer(hass, result, {"new_code": "sms"})
    assert result["step_id"] == "code_sent"
    assert not result["errors"]
    assert server.counts()["codes_sent"] == sent + 1
    result = await answer(hass, result, {"code": "000000"})
    assert result["errors"] == {"code": "invalid_code"}
    server.fault("verify_code", drop=True)
    result = await answer(hass, result, {"code": server.code})
    assert set(result["errors"]) == {"base"}
    server.control("clear_faults")
    result = await answer(hass, result, {"code": f"{server.code[:3]} {server.code[3:]}"})
    assert result["step_id"] == "libraries"


async def until_count(server: StandIn, name: str, wanted: int) -> None:
    for _ in range(200):
        if server.counts()[name] == wanted:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{name} is {server.counts()[name]}, not {wanted}")


async def test_advanced_data_protection(
    hass: HomeAssistant,
    fake_engines: list[FakeEngine],
    stand_in: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = stand_in()
    server.control("set_account", protected=True, consented=False)
    monkeypatch.setattr(consent, "PATIENCE", 0.0)
    monkeypatch.setattr(consent, "_PAUSE", 0.05)
    result = await to_libraries(hass, server)
    assert result["type"] is FlowResultType.SHOW_PROGRESS
    assert (result["step_id"], result["progress_action"]) == ("consent", "approve")
    await hass.async_block_till_done()
    result = await hass.config_entries.flow.async_configure(result["flow_id"])
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "consent_again")

    monkeypatch.setattr(consent, "PATIENCE", 60.0)
    asked = server.counts()["consents_asked"]
    result = await answer(hass, result, {})
    assert result["type"] is FlowResultType.SHOW_PROGRESS
    await until_count(server, "consents_asked", asked + 1)
    server.control("set_account", consented=True)
    await hass.async_block_till_done()
    result = await hass.config_entries.flow.async_configure(result["flow_id"])
    assert result["step_id"] == "libraries"
    assert server.counts()["consents_asked"] == asked + 1, "asked once for each submit"


async def test_apple_is_gone_while_waiting_for_consent(
    hass: HomeAssistant,
    fake_engines: list[FakeEngine],
    stand_in: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consent, "_PAUSE", 0.05)
    server = stand_in()
    server.control("set_account", protected=True, consented=False)
    result = await to_libraries(hass, server)
    server.fault("web_access", drop=True)
    await hass.async_block_till_done()
    result = await hass.config_entries.flow.async_configure(result["flow_id"])
    assert result["step_id"] == "connection"
    assert result["errors"] == {"base": "source_unreachable"}
    server.control("clear_faults")
    server.control("set_account", protected=False)
    result = await answer(hass, result, {})
    assert result["step_id"] == "libraries"


async def test_given_up_while_waiting_for_consent(
    hass: HomeAssistant, places: Places, fake_engines: list[FakeEngine], stand_in: Start
) -> None:
    server = stand_in()
    server.control("set_account", protected=True, consented=False)
    result = await to_libraries(hass, server)
    hass.config_entries.flow.async_abort(result["flow_id"])
    await hass.async_block_till_done()
    assert not list((places.config / ".storage" / DOMAIN).iterdir())


async def test_security_keys(
    hass: HomeAssistant, fake_engines: list[FakeEngine], stand_in: Start
) -> None:
    server = stand_in()
    server.control("set_account", security_keys=True)
    result = await answer(hass, await begin(hass), LOGIN)
    assert result["errors"] == {"base": "security_key_required"}
    server.control("set_account", security_keys=False)
    result = await answer(hass, result, LOGIN)
    assert result["step_id"] == "code"
    result = await answer(hass, result, {"code": server.code})
    assert result["step_id"] == "libraries"
    assert server.counts()["codes_sent"] == 1


@pytest.mark.parametrize("china", [True, False])
async def test_account_of_the_other_region(
    hass: HomeAssistant, fake_engines: list[FakeEngine], stand_in: Start, china: bool
) -> None:
    """Apple says where the account lives; it is signed in there, with the same code."""
    server = stand_in()
    server.control("set_account", china=china)
    result = await answer(hass, await begin(hass), LOGIN | {"china": not china})
    result = await answer(hass, result, {"code": server.code})
    assert result["step_id"] == "libraries"
    assert server.counts()["codes_sent"] == 1


async def test_mainland_china_to_the_end(
    hass: HomeAssistant, places: Places, fake_engines: list[FakeEngine], stand_in: Start
) -> None:
    server = stand_in()
    server.control("set_account", china=True)
    result = await answer(hass, await begin(hass), LOGIN | {"china": True})
    result = await answer(hass, result, {"code": server.code})
    result = await answer(hass, result, {"libraries": ["PrimarySync"]})
    form = {"archive": str(places.archive), "archive_off_machine": False}
    result = await answer(hass, result, form)
    result = await answer(hass, result, SAFETY)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"]["china"] is True


async def test_terms(hass: HomeAssistant, fake_engines: list[FakeEngine], stand_in: Start) -> None:
    server = stand_in()
    server.control("new_terms")
    result = await to_libraries(hass, server)
    assert (result["step_id"], result["errors"]) == ("terms", None)
    result = await answer(hass, result, {})
    assert result["errors"] == {"base": "terms_required"}
    server.fault("validate", status=500)
    result = await answer(hass, result, {})
    assert result["errors"] == {"base": "source_unreachable"}
    server.control("clear_faults")
    server.control("accept_terms")
    result = await answer(hass, result, {})
    assert result["step_id"] == "libraries"
    assert server.counts()["codes_sent"] == 1


async def test_web_access_off(
    hass: HomeAssistant, fake_engines: list[FakeEngine], stand_in: Start
) -> None:
    server = stand_in()
    server.control("set_account", web_access=False)
    result = await to_libraries(hass, server)
    assert (result["step_id"], result["errors"]) == ("connection", {"base": "web_access_off"})
    server.control("set_account", web_access=True)
    result = await answer(hass, result, {})
    assert result["step_id"] == "libraries"


@pytest.mark.parametrize(
    ("setting", "errors"),
    [
        ({"code_expired": True}, {"code": "code_expired"}),
        ({"codes_locked": True}, {"base": "too_many_codes"}),
        ({"code": "654321"}, {"code": "invalid_code"}),
    ],
)
async def test_code_not_taken_then_another(
    hass: HomeAssistant,
    fake_engines: list[FakeEngine],
    stand_in: Start,
    setting: dict[str, Any],
    errors: dict[str, str],
) -> None:
    server = stand_in()
    result = await answer(hass, await begin(hass), LOGIN)
    server.control("set_account", **setting)
    result = await answer(hass, result, {"code": server.code})
    assert result["errors"] == errors
    server.control("set_account", codes_locked=False, code="112233")
    result = await answer(hass, result, {"new_code": "device"})
    assert (result["step_id"], result["errors"]) == ("code_sent", {})
    result = await answer(hass, result, {"code": "112233"})
    assert result["step_id"] == "libraries"
    assert server.counts()["codes_sent"] == 2


async def test_libraries_can_not_be_read_at_first(
    hass: HomeAssistant, fake_engines: list[FakeEngine], stand_in: Start
) -> None:
    server = stand_in()
    server.fault("zones.*", drop=True)
    result = await to_libraries(hass, server)
    assert result["step_id"] == "connection"
    assert result["errors"] == {"base": "source_unreachable"}
    server.control("clear_faults")
    result = await answer(hass, result, {})
    assert result["step_id"] == "libraries"


async def test_same_account_twice(
    hass: HomeAssistant, places: Places, fake_engines: list[FakeEngine], stand_in: Start
) -> None:
    server = stand_in()
    icloud_entry(places.archive).add_to_hass(hass)
    result = await answer(hass, await begin(hass), LOGIN)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"
    assert "signin" not in server.counts()


async def test_given_up_leaves_nothing(
    hass: HomeAssistant, places: Places, fake_engines: list[FakeEngine], stand_in: Start
) -> None:
    server = stand_in()
    result = await answer(hass, await begin(hass), LOGIN | {"apple_id": "typo@example.com"})
    assert result["errors"] == {"password": "invalid_credentials"}
    result = await answer(hass, result, LOGIN)
    await answer(hass, result, {"code": server.code})
    folder = places.config / ".storage" / DOMAIN
    assert len(list(folder.iterdir())) == 2
    hass.config_entries.flow.async_abort(result["flow_id"])
    await hass.async_block_till_done()
    assert not list(folder.iterdir())
