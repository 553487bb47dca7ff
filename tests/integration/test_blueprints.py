"""The blueprints, as automations of a real Home Assistant."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import voluptuous as vol
from homeassistant.core import Context, Event, HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import template
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockModule,
    async_capture_events,
    async_fire_time_changed,
    mock_integration,
    mock_platform,
)

from custom_components.media_pipeline.engine.model import (
    DEFAULT_STAGES,
    EngineEvent,
    RunStatus,
    Snapshot,
    Stage,
)

from .fake_engine import FakeEngine

BLUEPRINTS = Path(__file__).parents[2] / "blueprints" / "automation" / "media_pipeline"
OUTCOME = "event.icloud_photos_outcome"
PLAN_READY = EngineEvent("plan_ready", {"plan_id": "123456789012", "assets": 12, "bytes": 3_400})


@pytest.fixture
def engine(fake_entry: MockConfigEntry, fake_engines: list[FakeEngine]) -> FakeEngine:
    return fake_engines[0]


@pytest.fixture(autouse=True)
async def automations_end(hass: HomeAssistant) -> AsyncIterator[None]:
    """Leave no timers behind."""
    yield
    if hass.states.get("automation.one") is not None:
        await hass.services.async_call(
            "automation", "turn_off", {"entity_id": "automation.one"}, blocking=True
        )


@pytest.fixture
def phone(hass: HomeAssistant) -> tuple[str, list[dict[str, Any]]]:
    """A device that takes notifications, and what it got."""
    got: list[dict[str, Any]] = []

    async def notify(
        hass: HomeAssistant, config: dict[str, Any], variables: Any, context: Context | None
    ) -> None:
        got.append(
            {
                key: template.render_complex(config[key], variables)
                for key in ("title", "message", "data")
                if key in config
            }
        )

    schema = cv.DEVICE_ACTION_BASE_SCHEMA.extend(
        {
            vol.Required("type"): "notify",
            vol.Required("message"): cv.template,
            vol.Optional("title"): cv.template,
            vol.Optional("data"): cv.template_complex,
        }
    )
    mock_integration(hass, MockModule("mobile_app"), built_in=False)
    mock_platform(
        hass,
        "mobile_app.device_action",
        cast("Any", SimpleNamespace(ACTION_SCHEMA=schema, async_call_action_from_config=notify)),
        built_in=False,
    )
    entry = MockConfigEntry(domain="mobile_app")
    entry.add_to_hass(hass)
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id, identifiers={("mobile_app", "phone")}, name="Phone"
    )
    return device.id, got


async def automate(hass: HomeAssistant, blueprint: str, **inputs: Any) -> None:
    """An automation made from one of the blueprints."""
    folder = Path(hass.config.path("blueprints", "automation", "media_pipeline"))
    await hass.async_add_executor_job(
        lambda: shutil.copytree(BLUEPRINTS, folder, dirs_exist_ok=True)
    )
    config = {
        "id": "one",
        "alias": "One",
        "use_blueprint": {"path": f"media_pipeline/{blueprint}.yaml", "input": inputs},
    }
    assert await async_setup_component(hass, "automation", {"automation": [config]})
    await hass.async_block_till_done()
    state = hass.states.get("automation.one")
    assert state is not None
    assert state.state == "on", "the blueprint is not valid"


async def settle() -> None:
    """Let automations go on as far as they can; they may wait, so blocking is not possible."""
    for _ in range(50):
        await asyncio.sleep(0.002)


async def happens(hass: HomeAssistant, engine: FakeEngine, event: EngineEvent) -> None:
    await hass.async_add_executor_job(engine.on_event, event)
    await settle()


def asked(engine: FakeEngine) -> list[tuple[str, Any]]:
    return [call for call in engine.calls if call[0] not in {"start", "stop", "refresh"}]


async def at(hass: HomeAssistant, clock: str, days: int = 1) -> None:
    """It is so late, so many days from now; whatever comes before is due as well."""
    hour, minute = clock.split(":")
    then = dt_util.now().replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
    async_fire_time_changed(hass, then + timedelta(days=days))
    await settle()


async def test_nightly_run(
    hass: HomeAssistant, engine: FakeEngine, fake_entry: MockConfigEntry
) -> None:
    await automate(hass, "nightly_run", source=fake_entry.entry_id)
    await at(hass, "01:30")
    assert asked(engine) == [("start_run", {"stages": DEFAULT_STAGES, "actor": None})]
    await at(hass, "06:30")
    assert len(asked(engine)) == 1


async def test_nightly_run_under_a_condition(
    hass: HomeAssistant, engine: FakeEngine, fake_entry: MockConfigEntry
) -> None:
    condition = {"condition": "state", "entity_id": "input_boolean.cheap", "state": "on"}
    hass.states.async_set("input_boolean.cheap", "off")
    source = fake_entry.entry_id
    await automate(hass, "nightly_run", source=source, stages=["ingest"], only_if=[condition])
    await at(hass, "01:30")
    assert not asked(engine)
    hass.states.async_set("input_boolean.cheap", "on")
    await at(hass, "01:30", days=2)
    assert asked(engine) == [("start_run", {"stages": (Stage.INGEST,), "actor": None})]


@pytest.mark.parametrize(
    ("status", "cancelled"),
    [(RunStatus.SYNC, True), (RunStatus.IDLE, False), (RunStatus.CLEANUP, False)],
)
async def test_nightly_run_ends_in_the_morning(
    hass: HomeAssistant,
    engine: FakeEngine,
    fake_entry: MockConfigEntry,
    status: RunStatus,
    cancelled: bool,
) -> None:
    await automate(hass, "nightly_run", source=fake_entry.entry_id, has_end=True)
    engine.snapshot = Snapshot(status=status, authenticated=True)
    await hass.async_add_executor_job(engine.on_snapshot, engine.snapshot)
    await settle()
    await at(hass, "06:30")
    assert (("cancel", {"actor": None}) in asked(engine)) is cancelled


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (EngineEvent("run_failed", {"error": "source_unreachable"}), "source_unreachable"),
        (EngineEvent("run_completed", {"ingest_done": 7, "sync_done": 3}), "7 files archived"),
        (EngineEvent("cleanup_stopped", {"reason": "conflict"}), "conflict"),
        (PLAN_READY, "12 assets"),
    ],
)
async def test_notify_outcome(
    hass: HomeAssistant, engine: FakeEngine, event: EngineEvent, words: str
) -> None:
    told = async_capture_events(hass, "told")
    tell = {"event": "told", "event_data": {"title": "{{ title }}", "message": "{{ message }}"}}
    await automate(hass, "notify_outcome", outcome=OUTCOME, outcomes=[event.type], then=[tell])
    await happens(hass, engine, EngineEvent("run_started", {"run_id": "x"}))
    assert not told
    await happens(hass, engine, event)
    assert len(told) == 1
    assert told[0].data["title"] == "iCloud Photos"
    assert words in told[0].data["message"]


async def test_notify_outcome_by_default(hass: HomeAssistant, engine: FakeEngine) -> None:
    assert await async_setup_component(hass, "persistent_notification", {})
    calls: list[Event[Any]] = async_capture_events(hass, "call_service")
    await automate(hass, "notify_outcome", outcome=OUTCOME)
    await happens(hass, engine, EngineEvent("run_completed", {}))
    await happens(hass, engine, EngineEvent("copy_lost", {"reason": "copy_missing"}))
    (call,) = [call for call in calls if call.data["domain"] == "persistent_notification"]
    assert "copy_missing" in call.data["service_data"]["message"]


async def answer(hass: HomeAssistant, got: list[dict[str, Any]], title: str) -> None:
    (button,) = [b["action"] for b in got[0]["data"]["actions"] if b["title"] == title]
    hass.bus.async_fire("mobile_app_notification_action", {"action": button})
    await settle()


async def test_approve_cleanup(
    hass: HomeAssistant, engine: FakeEngine, phone: tuple[str, list[dict[str, Any]]]
) -> None:
    device, got = phone
    await automate(hass, "approve_cleanup", outcome=OUTCOME, phone=device)
    await happens(hass, engine, PLAN_READY)
    assert "12 assets" in got[0]["message"]
    assert not asked(engine)
    await answer(hass, got, "Approve and free")
    plan = {"plan_id": "123456789012", "actor": None}
    assert asked(engine) == [("approve_cleanup", plan), ("cleanup", {**plan, "dry_run": False})]
    assert len(got) == 2


async def test_approve_cleanup_declined(
    hass: HomeAssistant, engine: FakeEngine, phone: tuple[str, list[dict[str, Any]]]
) -> None:
    device, got = phone
    await automate(hass, "approve_cleanup", outcome=OUTCOME, phone=device)
    await happens(hass, engine, PLAN_READY)
    await answer(hass, got, "Not now")
    await answer(hass, got, "Approve and free")
    assert not asked(engine)


async def test_approve_cleanup_of_an_empty_or_replaced_plan(
    hass: HomeAssistant, engine: FakeEngine, phone: tuple[str, list[dict[str, Any]]]
) -> None:
    device, got = phone
    await automate(hass, "approve_cleanup", outcome=OUTCOME, phone=device)
    await happens(hass, engine, EngineEvent("plan_ready", {"plan_id": "a", "assets": 0}))
    assert not got
    await happens(hass, engine, PLAN_READY)
    await happens(
        hass, engine, EngineEvent("plan_ready", {"plan_id": "newer", "assets": 1, "bytes": 1})
    )
    await answer(hass, got, "Approve and free")  # of the older question
    assert not asked(engine)


async def test_approve_cleanup_waits_no_longer_than_told(
    hass: HomeAssistant, engine: FakeEngine, phone: tuple[str, list[dict[str, Any]]]
) -> None:
    device, got = phone
    await automate(hass, "approve_cleanup", outcome=OUTCOME, phone=device, hours=2)
    await happens(hass, engine, PLAN_READY)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(hours=2, minutes=1))
    await settle()
    await answer(hass, got, "Approve and free")
    assert not asked(engine)


def reply(hass: HomeAssistant, got: list[dict[str, Any]], title: str, text: str = "") -> None:
    """Answer the latest notification, as the companion app tells of it."""
    (button,) = [b for b in got[-1]["data"]["actions"] if b["title"] == title]
    assert button.get("behavior") == ("textInput" if text else None)
    hass.bus.async_fire(
        "mobile_app_notification_action", {"action": button["action"], "reply_text": text}
    )


async def test_enter_code(
    hass: HomeAssistant,
    engine: FakeEngine,
    fake_entry: MockConfigEntry,
    phone: tuple[str, list[dict[str, Any]]],
) -> None:
    device, got = phone
    await automate(hass, "enter_code", outcome=OUTCOME, phone=device)
    await happens(hass, engine, EngineEvent("run_started", {"run_id": "x"}))
    assert not got
    await happens(hass, engine, EngineEvent("code_required"))
    assert "two-factor code" in got[-1]["message"]
    reply(hass, got, "Enter the code", "000000")
    await settle()
    assert asked(engine) == [("submit_code", {"code": "000000"})], "the integration takes it"
    await happens(hass, engine, EngineEvent("code_rejected", {"reason": "invalid_code"}))
    assert "wrong" in got[-1]["message"]
    await happens(hass, engine, EngineEvent("code_rejected", {"reason": "code_expired"}))
    assert "too old" in got[-1]["message"]
    assert len(got) == 3
    assert len({note["data"]["tag"] for note in got}) == 1, "each replaces the one before"

    reply(hass, got, "Send by SMS")
    await settle()
    assert asked(engine)[-1] == ("request_code", {"sms": True})
    assert "SMS" in got[-1]["message"]
    reply(hass, got, "Enter the code", "123 456")
    await settle()
    assert asked(engine)[-1] == ("submit_code", {"code": "123456"})
    await happens(hass, engine, EngineEvent("code_accepted"))
    assert "took the code" in got[-1]["message"]
    assert "actions" not in got[-1]["data"]
    count = len(got)
    hass.bus.async_fire("mobile_app_notification_action", {"action": "SOMETHING_ELSE"})
    await settle()
    assert len(got) == count
