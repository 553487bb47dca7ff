"""Photos handed over to actions: real actions and scripts of Home Assistant, one call per photo."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import voluptuous as vol
from homeassistant.config_entries import ConfigSubentryDataWithId
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events

from .conftest import Places
from .helpers import folder_entry, make_photo
from .target_forms import answer, begin, only_target
from .test_real_run import call, settle, state

pytestmark = pytest.mark.usefixtures("socket_enabled")

SCHEMA = vol.Schema({vol.Required("file"): cv.string}, extra=vol.ALLOW_EXTRA)


class Receiver:
    """An action ``test.take``, as an integration registers one."""

    def __init__(self, hass: HomeAssistant) -> None:
        self.calls: list[dict[str, Any]] = []
        self.bytes: list[bytes] = []
        self.error: Callable[[], Exception | None] = lambda: None
        self.delay = 0.0
        self._hass = hass
        hass.services.async_register("test", "take", self._take, schema=SCHEMA)

    async def _take(self, service_call: ServiceCall) -> None:
        data = dict(service_call.data)
        if (error := self.error()) is not None:
            raise error
        read = await self._hass.async_add_executor_job(Path(data["file"]).read_bytes)
        self.calls.append(data)
        self.bytes.append(read)
        await asyncio.sleep(self.delay)


@pytest.fixture
def receiver(hass: HomeAssistant) -> Receiver:
    return Receiver(hass)


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


@pytest.fixture
def entry(hass: HomeAssistant, places: Places) -> MockConfigEntry:
    return make_entry(hass, places, action_target())


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


async def test_every_photo_once(
    hass: HomeAssistant, places: Places, receiver: Receiver, entry: MockConfigEntry
) -> None:
    changes = async_capture_events(hass, "state_changed")
    await load(hass, entry)
    result = await call(hass, "run", wait=True)
    assert result["outcome"] == "completed", result
    assert set(receiver.bytes) == photos(places)
    assert len(receiver.calls) == 4, "no records, no sidecars"
    size = (places.photos / "IMG_0000.JPG").stat().st_size
    captions = {one["caption"] for one in receiver.calls}
    assert f"IMG_0000.JPG (photo, {size})" in captions
    await settle(hass)
    assert state(hass, "sensor.family_chat_delivered") == "4"
    assert state(hass, "sensor.family_chat_state") == "ok"
    assert hass.states.get("sensor.family_chat_copies") is None, "nothing is verified there"
    assert hass.states.get("sensor.family_chat_last_verified") is None
    assert hass.states.get("sensor.family_chat_free_space") is None
    assert state(hass, "sensor.photo_folder_protected") == "0.0"

    make_photo(places.photos / "IMG_0009.JPG", 9)
    assert (await call(hass, "run", wait=True))["outcome"] == "completed"
    assert len(receiver.calls) == 5, "only the new one"
    assert await hass.config_entries.async_reload(entry.entry_id)
    await call(hass, "run", wait=True)
    assert len(receiver.calls) == 5
    text = str([event.data["new_state"].as_dict() for event in changes if event.data["new_state"]])
    assert "IMG_000" not in text
    assert str(places.root) not in text


async def test_a_real_script(hass: HomeAssistant, places: Places, receiver: Receiver) -> None:
    assert await async_setup_component(
        hass,
        "script",
        {
            "script": {
                "share_photo": {
                    "fields": {"photo": {}, "words": {}},
                    "sequence": [
                        {"condition": "template", "value_template": "{{ photo is string }}"},
                        {
                            "action": "test.take",
                            "data": {"file": "{{ photo }}", "caption": "{{ words }}"},
                        },
                    ],
                }
            }
        },
    )
    target = action_target(
        "script.share_photo",
        data={"photo": "{{ path }}", "words": "{{ captured.year }} {{ albums | count }}"},
    )
    await load(hass, make_entry(hass, places, target))
    assert (await call(hass, "run", wait=True))["outcome"] == "completed"
    assert set(receiver.bytes) == photos(places)
    assert len(receiver.calls) == 4
    assert {one["caption"] for one in receiver.calls} <= {"2026 0", "2025 0"}


async def test_a_script_that_fails_has_not_delivered(
    hass: HomeAssistant, places: Places, receiver: Receiver
) -> None:
    receiver.error = lambda: HomeAssistantError("the chat is closed")
    sequence = [{"action": "test.take", "data": {"file": "{{ photo }}"}}]
    assert await async_setup_component(
        hass, "script", {"script": {"share": {"sequence": sequence}}}
    )
    target = action_target("script.share", data={"photo": "{{ path }}"})
    await load(hass, make_entry(hass, places, target))
    result = await call(hass, "run", wait=True)
    assert result["outcome"] == "completed_with_problems", result
    await settle(hass)
    assert state(hass, "sensor.family_chat_delivered") == "0"
    assert state(hass, "sensor.family_chat_state") == "action_keeps_failing"


async def test_it_is_tried_again_after_a_failure(
    hass: HomeAssistant, places: Places, receiver: Receiver, entry: MockConfigEntry
) -> None:
    failures = iter([HomeAssistantError("once")])
    receiver.error = lambda: next(failures, None)
    await load(hass, entry)
    assert (await call(hass, "run", wait=True))["outcome"] == "completed"
    assert set(receiver.bytes) == photos(places), "the second try comes a second later"
    assert len(receiver.calls) == 4


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (HomeAssistantError("no"), "action_failed"),
        (ServiceValidationError("no"), "action_refused"),
        (RuntimeError("an integration's defect"), "action_failed"),
    ],
)
async def test_an_action_that_always_fails_stops_the_target(
    hass: HomeAssistant,
    places: Places,
    receiver: Receiver,
    entry: MockConfigEntry,
    error: Exception,
    reason: str,
) -> None:
    tries = []

    def fail() -> Exception:
        tries.append(1)
        return error

    receiver.error = fail
    hass.config.allowlist_external_dirs = {str(places.root)}
    await load(hass, entry)
    result = await call(hass, "run", wait=True)
    assert result["outcome"] == "completed_with_problems"
    await settle(hass)
    assert len(tries) == 3, "what fails three times in a row would fail for every photo"
    assert state(hass, "sensor.family_chat_state") == "action_keeps_failing"
    assert state(hass, "binary_sensor.photo_folder_problem") == "on"
    counts = (await entry.runtime_data.engine.diagnostics())["errors"]
    assert counts == {reason: 2}, "the third waits as before"
    receiver.error = lambda: None
    await asyncio.sleep(1.1)
    assert (await call(hass, "run", wait=True))["outcome"] == "completed"
    assert set(receiver.bytes) == photos(places)


async def test_no_such_action(
    hass: HomeAssistant, places: Places, receiver: Receiver, entry: MockConfigEntry
) -> None:
    hass.services.async_remove("test", "take")
    await load(hass, entry)
    assert (await call(hass, "run", wait=True))["outcome"] == "completed_with_problems"
    await settle(hass)
    assert state(hass, "sensor.family_chat_state") == "action_missing"


async def test_nobody_knows_how_it_ended(
    hass: HomeAssistant, places: Places, receiver: Receiver
) -> None:
    """An action that takes too long may have worked: it is not called again for that photo."""
    receiver.delay = 3
    entry = make_entry(hass, places, action_target(time_limit=1))
    await load(hass, entry)
    await call(hass, "run", wait=True)
    assert len(receiver.calls) == 4
    receiver.delay = 0
    await call(hass, "run", wait=True)
    assert len(receiver.calls) == 4, "not again by itself"
    aside = await call(hass, "quarantine")
    assert {item["reason"] for item in aside["files"]} == {"outcome_unknown"}
    assert {item["next_try"] for item in aside["files"]} == {None}
    await call(hass, "retry_quarantined")
    await call(hass, "run", wait=True)
    assert len(receiver.calls) == 8, "a person may say so"


async def test_stopped_in_the_middle_of_a_call(
    hass: HomeAssistant, places: Places, receiver: Receiver, entry: MockConfigEntry
) -> None:
    """A call under way when the run is cancelled is waited for and written down."""
    receiver.delay = 0.5
    await load(hass, entry)
    await call(hass, "run")
    while not receiver.calls:
        await asyncio.sleep(0.02)
    await call(hass, "cancel")
    assert len(receiver.calls) == 1
    await call(hass, "run", wait=True)
    assert len(receiver.calls) == 4
    assert set(receiver.bytes) == photos(places)


async def test_power_lost_in_the_middle_of_a_call(
    hass: HomeAssistant, places: Places, receiver: Receiver, entry: MockConfigEntry
) -> None:
    """The catalog says that calls began and not how they ended: nobody calls a second time."""
    await load(hass, entry)
    await call(hass, "run", wait=True)
    assert await hass.config_entries.async_unload(entry.entry_id)
    (catalog,) = places.config.rglob("catalog.db")
    with closing(sqlite3.connect(catalog)) as database:
        database.execute("update copies set state = 'handing' where id <= 2")
        database.execute("delete from copies where id = 3")
        database.commit()
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    await call(hass, "run", wait=True)
    assert len(receiver.calls) == 5, "only the one that was never begun"
    aside = await call(hass, "quarantine")
    assert [item["reason"] for item in aside["files"]] == ["outcome_unknown"] * 2


async def test_so_many_per_minute(hass: HomeAssistant, places: Places, receiver: Receiver) -> None:
    moments: list[float] = []

    def note() -> None:
        moments.append(hass.loop.time())

    receiver.error = note
    await load(hass, make_entry(hass, places, action_target(per_minute=120)))
    await call(hass, "run", wait=True)
    pauses = [later - sooner for sooner, later in pairwise(moments)]
    assert len(moments) == 4
    assert min(pauses) > 0.45, "120 per minute are half a second apart"


# --- the flow -------------------------------------------------------------------------------------

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
    hass: HomeAssistant, places: Places, receiver: Receiver, entry: MockConfigEntry
) -> None:
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


async def test_media_of_home_assistant(
    hass: HomeAssistant, places: Places, receiver: Receiver
) -> None:
    """For actions that take media, as Immich's does: the archive's file where it is media."""
    data = {"file": "{{ path }}", "media": {"media_content_id": "{{ media_content_id }}"}}
    hass.config.media_dirs = {"local": str(places.root)}
    await load(hass, make_entry(hass, places, action_target(data=data)))
    await call(hass, "run", wait=True)
    for one in receiver.calls:
        inside = Path(one["file"]).relative_to(places.root)
        assert one["media"]["media_content_id"] == f"media-source://media_source/local/{inside}"
