"""Photos handed over to actions: real actions and scripts of Home Assistant, one call per photo."""

import asyncio
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import (
    HomeAssistantError,
    ServiceNotFound,
    ServiceValidationError,
)
from homeassistant.setup import async_setup_component
from PIL import Image
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events

from .conftest import Places
from .handing_over import action_target, load, make_entry, photos
from .helpers import make_photo
from .receiver import Receiver
from .test_real_run import call, settle, state

pytestmark = pytest.mark.usefixtures("socket_enabled")


@pytest.fixture
def entry(hass: HomeAssistant, places: Places) -> MockConfigEntry:
    return make_entry(hass, places, action_target())


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
        (TimeoutError("a server's"), "action_failed"),
        (ServiceNotFound("notify", "somebody"), "action_failed"),
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


async def test_it_goes_while_it_is_called(
    hass: HomeAssistant, places: Places, receiver: Receiver, entry: MockConfigEntry
) -> None:
    receiver.error = lambda: ServiceNotFound("test", "take")
    await load(hass, entry)
    assert (await call(hass, "run", wait=True))["outcome"] == "completed_with_problems"
    await settle(hass)
    assert state(hass, "sensor.family_chat_state") == "action_missing"


async def test_a_list_of_texts_and_a_moment(
    hass: HomeAssistant, places: Places, receiver: Receiver
) -> None:
    said = Image.Exif()
    said.get_ifd(0x8769).update({0x9003: "2019:07:04 10:00:00", 0x9011: "+09:00"})
    Image.new("RGB", (120, 90)).save(dated := places.photos / "dated.jpg", exif=said)
    os.utime(dated, (1_600_000_000, 1_600_000_000))  # it is not growing still
    data = {"file": "{{ path }}", "caption": ["{{ filename }}", "{{ captured.isoformat() }}"]}
    await load(hass, make_entry(hass, places, action_target(data=data)))
    assert (await call(hass, "run", wait=True))["outcome"] == "completed"
    said_of = dict(one["caption"] for one in receiver.calls)
    moment = datetime.fromisoformat(said_of["dated.jpg"])
    assert moment == datetime(2019, 7, 4, 1, tzinfo=UTC)
    assert len(said_of) == 5


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
