"""The form of an action as a target."""

from pathlib import Path
from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from pytest_homeassistant_custom_component.common import MockConfigEntry

from .conftest import Places
from .handing_over import action_target, load, make_entry
from .receiver import Receiver
from .target_forms import answer, begin, only_target
from .test_real_run import call

pytestmark = pytest.mark.usefixtures("socket_enabled")


FORM = {
    "name": "Family chat",
    "action": "test.take",
    "data": {"file": "{{ path }}", "caption": "{{ title }}"},
    "content": "compressed",
    "per_minute": 10,
    "time_limit": 20,
    "send_one": False,
}


async def test_flow(
    hass: HomeAssistant, places: Places, receiver: Receiver, fake_entry: MockConfigEntry
) -> None:
    hass.config.allowlist_external_dirs = {str(places.root)}
    result = await begin(hass, fake_entry, "action")
    assert result["description_placeholders"]["path"] == str(places.archive)
    refused: list[tuple[dict[str, Any], dict[str, str]]] = [
        ({"action": "test.nothing"}, {"base": "action_missing"}),
        ({"data": {"file": "{{ path"}}, {"base": "action_template_failed"}),
        ({"data": {"caption": "no file"}}, {"base": "action_refused"}),
        ({"data": ["no mapping"]}, {"data": "data_is_no_mapping"}),
    ]
    for change, errors in refused:
        result = await answer(hass, result, FORM | change)
        assert result["errors"] == errors
    assert not receiver.calls, "trying out calls nothing"
    receiver.error = lambda: HomeAssistantError("the chat is closed")
    result = await answer(hass, result, FORM | {"send_one": True})
    assert result["errors"] == {"base": "action_failed"}
    assert result["description_placeholders"]["said"] == "the chat is closed"
    receiver.error = lambda: None
    result = await answer(hass, result, FORM | {"send_one": True})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert len(receiver.calls) == 1
    assert receiver.bytes[0].startswith(b"\xff\xd8"), "a photo that we made"
    assert not Path(receiver.calls[0]["file"]).exists()
    subentry = only_target(fake_entry)
    assert dict(subentry.data) == {
        "kind": "action",
        **{key: value for key, value in FORM.items() if key not in {"name", "send_one"}},
    }

    result = await begin(hass, fake_entry, "action")
    result = await answer(hass, result, FORM)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"


async def test_flow_says_that_files_are_out_of_reach(
    hass: HomeAssistant, places: Places, receiver: Receiver, fake_entry: MockConfigEntry
) -> None:
    """As telegram_bot and onedrive do: the path must be allowed."""

    def check() -> Exception | None:
        allowed = hass.config.is_allowed_path(str(places.archive))
        return None if allowed else ServiceValidationError("not allowed")

    receiver.error = check
    result = await begin(hass, fake_entry, "action")
    result = await answer(hass, result, FORM | {"send_one": True})
    assert result["errors"] == {"base": "action_path_not_allowed"}
    hass.config.allowlist_external_dirs = {str(places.archive)}
    result = await answer(hass, result, FORM | {"send_one": True})
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_change_of_the_words_sends_nothing_again(
    hass: HomeAssistant, places: Places, receiver: Receiver
) -> None:
    entry = make_entry(hass, places, action_target())
    hass.config.allowlist_external_dirs = {str(places.root)}
    await load(hass, entry)
    await call(hass, "run", wait=True)
    result = await entry.start_subentry_reconfigure_flow(hass, "target-1")
    form = FORM | {"content": "originals", "data": {"file": "{{ path }}", "caption": "new"}}
    result = await answer(hass, result, form)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reconfigure_successful"
    await call(hass, "run", wait=True)
    assert len(receiver.calls) == 4
    assert only_target(entry).data["data"]["caption"] == "new"
