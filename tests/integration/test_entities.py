"""What snapshots and events become: states, repairs, requests to sign in."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Event, HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
    async_fire_time_changed,
)

from custom_components.media_pipeline.const import DOMAIN
from custom_components.media_pipeline.engine import errors
from custom_components.media_pipeline.engine.model import (
    EVENT_TYPES,
    EngineEvent,
    LibraryCensus,
    LibraryStats,
    RunOutcome,
    RunProgress,
    RunStatus,
    RunSummary,
    Snapshot,
    Stage,
    StageProgress,
    TargetStatus,
    Usage,
)

from .conftest import Places
from .fake_engine import FakeEngine
from .helpers import folder_entry, folder_target, icloud_entry

GIB = 1 << 30
RUNNING = Snapshot(
    status=RunStatus.SYNC,
    library=LibraryStats(
        items=200,
        bytes=4 * GIB,
        archived=150,
        protected=50,
        freeable=10,
        freeable_bytes=GIB,
        compressed_saved_bytes=2 * GIB,
        pending_purge_bytes=3 * GIB,
        quarantined=1,
    ),
    targets={
        "target-1": TargetStatus(
            "target-1",
            "x",
            "ok",
            free_bytes=5 * GIB,
            copies=70,
            verified=60,
            missing=3,
            last_verified=1_790_000_000_000,
            last_drill=1_790_000_000_000,
            drill_score=80.0,
        )
    },
    run=RunProgress(
        "run-1",
        RunStatus.SYNC,
        0,
        stages={
            Stage.INGEST: StageProgress(3, 10, 300, 1000),
            Stage.SYNC: StageProgress(2, 10, 200, 1000, failed=1),
        },
        percent=41.27,
        rate=1234.5,
        eta_seconds=118.0,
        resting="hot",
    ),
    last_run=RunSummary("run-0", 0, 1_790_000_000_000, RunOutcome.COMPLETED, ()),
    authenticated=True,
    usage=Usage(100 * GIB, 200 * GIB),
    archive_free=7 * GIB,
    trust_ends=1_893_456_000_000,
    census={"PrimarySync": LibraryCensus(0, 200, 203), "Shared": LibraryCensus(0, 20, 19)},
)


@pytest.fixture
async def entry(
    hass: HomeAssistant, places: Places, fake_engines: list[FakeEngine]
) -> MockConfigEntry:
    entry = icloud_entry(places.archive, folder_target(places.target))
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


@pytest.fixture
def engine(entry: MockConfigEntry, fake_engines: list[FakeEngine]) -> FakeEngine:
    return fake_engines[0]


async def push(hass: HomeAssistant, engine: FakeEngine, snapshot: Snapshot) -> None:
    """Push as the engine does: from a thread that is not Home Assistant's."""
    engine.snapshot = snapshot
    await hass.async_add_executor_job(engine.on_snapshot, snapshot)
    await hass.async_block_till_done()


async def test_states(hass: HomeAssistant, engine: FakeEngine) -> None:
    await push(hass, engine, RUNNING)
    expected = {
        "sensor.icloud_photos_status": "sync",
        "sensor.icloud_photos_progress": "41.3",
        "sensor.icloud_photos_time_remaining": "2.0",
        "sensor.icloud_photos_library_items": "200",
        "sensor.icloud_photos_library_size": "4.0",
        "sensor.icloud_photos_archived_items": "150",
        "sensor.icloud_photos_protected": "25.0",
        "sensor.icloud_photos_freeable": "1.0",
        "sensor.icloud_photos_freed_not_yet_purged": "3.0",
        "sensor.icloud_photos_quarantined_items": "1",
        "sensor.icloud_photos_difference_to_icloud": "2",
        "sensor.icloud_photos_last_run": "2026-09-21T14:13:20+00:00",
        "sensor.icloud_photos_last_run_result": "completed",
        "sensor.icloud_photos_icloud_used": "100.0",
        "sensor.icloud_photos_icloud_total": "200.0",
        "sensor.icloud_photos_sign_in_expires": "2030-01-01T00:00:00+00:00",
        "sensor.icloud_photos_archive_free_space": "7.0",
        "binary_sensor.icloud_photos_problem": "off",
        "binary_sensor.icloud_photos_signed_in": "on",
        "sensor.second_disk_state": "ok",
        "sensor.second_disk_free_space": "5.0",
        "sensor.second_disk_copies": "60",
        "sensor.second_disk_missing_copies": "3",
        "sensor.second_disk_last_verified": "2026-09-21T14:13:20+00:00",
        "sensor.second_disk_last_restore_drill": "2026-09-21T14:13:20+00:00",
        "sensor.second_disk_restore_drill_score": "80.0",
    }
    states = {state.entity_id: state.state for state in hass.states.async_all()}
    assert {key: states.get(key) for key in expected} == expected
    progress = hass.states.get("sensor.icloud_photos_progress")
    assert progress is not None
    assert {
        key: value
        for key, value in progress.attributes.items()
        if key.startswith(("files_", "bytes_"))
    } == {
        "files_done": 5,
        "files_total": 20,
        "files_failed": 1,
        "bytes_done": 500,
        "bytes_total": 2000,
        "bytes_per_second": 1234,
    }
    assert progress.attributes["resting"] == "hot"
    assert set(states) - set(expected) == {
        "button.icloud_photos_run",
        "button.icloud_photos_plan_cleanup",
        "event.icloud_photos_outcome",
    }


async def test_unknown_before_anything_is_known(hass: HomeAssistant, engine: FakeEngine) -> None:
    for name in ("progress", "time_remaining", "last_run", "last_run_result", "icloud_used"):
        state = hass.states.get(f"sensor.icloud_photos_{name}")
        assert state is not None
        assert state.state == STATE_UNKNOWN
    state = hass.states.get("sensor.second_disk_state")
    assert state is not None
    assert state.state == "unknown"


async def test_folder_source_has_nothing_of_icloud(
    hass: HomeAssistant,
    places: Places,
    fake_engines: list[FakeEngine],
    entity_registry: er.EntityRegistry,
) -> None:
    entry = folder_entry(places.photos, places.archive)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    keys = {
        e.unique_id.removeprefix(f"{entry.entry_id}_")
        for e in er.async_entries_for_config_entry(entity_registry, entry.entry_id)
    }
    absent = {"icloud_used", "icloud_total", "authenticated", "plan_cleanup", "freeable_size"}
    assert not keys & absent
    assert {"status", "archive_free", "problem", "run", "outcome"} <= keys


async def test_nothing_personal_in_states(
    hass: HomeAssistant, entry: MockConfigEntry, places: Places, engine: FakeEngine
) -> None:
    await push(hass, engine, RUNNING)
    text = str([state.as_dict() for state in hass.states.async_all()])
    for secret in ("someone", "example.com", str(places.root)):
        assert secret not in text


async def test_progress_is_throttled_and_landmarks_are_not(
    hass: HomeAssistant, engine: FakeEngine, freezer: FrozenDateTimeFactory
) -> None:
    await push(hass, engine, RUNNING)
    assert RUNNING.run is not None
    changes = async_capture_events(hass, "state_changed")

    def shown() -> list[str]:
        found: list[Event[Any]] = list(changes)
        return [
            event.data["new_state"].state
            for event in found
            if event.data["entity_id"] == "sensor.icloud_photos_progress"
            and event.data["new_state"] is not None
        ]

    for percent in (50.0, 60.0, 70.0):
        await push(hass, engine, replace(RUNNING, run=replace(RUNNING.run, percent=percent)))
    assert shown() == []
    freezer.tick(timedelta(seconds=3))
    async_fire_time_changed(hass)
    await hass.async_block_till_done()
    assert shown() == ["70.0"], "the latest, once"
    await push(hass, engine, replace(RUNNING, run=replace(RUNNING.run, percent=80.0)))
    await push(hass, engine, replace(RUNNING, status=RunStatus.IDLE, run=None))
    assert shown() == ["70.0", STATE_UNKNOWN], "an ended run shows at once, old progress never"


async def test_numbers_are_refreshed_while_idle(
    hass: HomeAssistant, engine: FakeEngine, freezer: FrozenDateTimeFactory
) -> None:
    engine.snapshot = replace(engine.snapshot, archive_free=GIB)
    freezer.tick(timedelta(minutes=5, seconds=2))
    async_fire_time_changed(hass)
    await hass.async_block_till_done(wait_background_tasks=True)
    state = hass.states.get("sensor.icloud_photos_archive_free_space")
    assert state is not None
    assert state.state == "1.0"

    engine.error = errors.TransientError("why")
    freezer.tick(timedelta(minutes=5, seconds=2))
    async_fire_time_changed(hass)
    await hass.async_block_till_done(wait_background_tasks=True)
    state = hass.states.get("sensor.icloud_photos_archive_free_space")
    assert state is not None
    assert state.state == STATE_UNAVAILABLE


@pytest.mark.parametrize("event_type", EVENT_TYPES)
async def test_events(hass: HomeAssistant, engine: FakeEngine, event_type: str) -> None:
    await hass.async_add_executor_job(engine.on_event, EngineEvent(event_type, {"archived": 3}))
    await hass.async_block_till_done()
    state = hass.states.get("event.icloud_photos_outcome")
    assert state is not None
    assert state.attributes["event_type"] == event_type
    assert state.attributes["archived"] == 3
    before = state.last_updated
    await push(hass, engine, RUNNING)
    state = hass.states.get("event.icloud_photos_outcome")
    assert state is not None
    assert state.last_updated == before


async def test_problem_names_its_causes(hass: HomeAssistant, engine: FakeEngine) -> None:
    down = replace(RUNNING.targets["target-1"], state="target_unreachable")
    await push(hass, engine, replace(RUNNING, problems=("throttled",), targets={"target-1": down}))
    state = hass.states.get("binary_sensor.icloud_photos_problem")
    assert state is not None
    assert state.state == "on"
    assert state.attributes["problems"] == ["target_unreachable", "throttled"]
    odd = replace(down, state="something new")
    await push(hass, engine, replace(RUNNING, targets={"target-1": odd}))
    state = hass.states.get("sensor.second_disk_state")
    assert state is not None
    assert state.state == "target_unavailable"


async def test_problem_says_until_when_apple_wants_no_request(
    hass: HomeAssistant, engine: FakeEngine
) -> None:
    held = replace(RUNNING, problems=("throttled",), throttled_until=1_893_456_000_000)
    await push(hass, engine, held)
    state = hass.states.get("binary_sensor.icloud_photos_problem")
    assert state is not None
    assert (state.state, state.attributes["problems"]) == ("on", ["throttled"])
    assert state.attributes["throttled_until"] == "2030-01-01T00:00:00+00:00"
    await push(hass, engine, RUNNING)
    state = hass.states.get("binary_sensor.icloud_photos_problem")
    assert state is not None
    assert "throttled_until" not in state.attributes


@pytest.mark.parametrize("problem", ["invalid_credentials", "code_required"])
async def test_lost_sign_in_asks_once(
    hass: HomeAssistant, entry: MockConfigEntry, engine: FakeEngine, problem: str
) -> None:
    lost = replace(RUNNING, problems=(problem,), authenticated=False)
    for _ in range(3):
        await push(hass, engine, lost)
    flows = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert [flow["context"]["source"] for flow in flows] == ["reauth"]
    hass.config_entries.flow.async_abort(flows[0]["flow_id"])
    await push(hass, engine, lost)
    assert not hass.config_entries.flow.async_progress_by_handler(DOMAIN), "dismissed is dismissed"
    await push(hass, engine, RUNNING)
    await push(hass, engine, lost)
    assert hass.config_entries.flow.async_progress_by_handler(DOMAIN), "lost once more"


async def test_repairs_follow_the_snapshots(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    engine: FakeEngine,
    issue_registry: ir.IssueRegistry,
) -> None:
    def shown() -> set[str]:
        return {
            issue.translation_key or ""
            for (domain, _), issue in issue_registry.issues.items()
            if domain == DOMAIN
        }

    full = replace(RUNNING.targets["target-1"], state="target_full")
    await push(
        hass,
        engine,
        replace(RUNNING, problems=("consent_required", "target_full"), targets={"target-1": full}),
    )
    assert shown() == {"consent_required", "archive_full", "target_full"}
    lost = replace(full, state="host_key_changed")
    await push(hass, engine, replace(RUNNING, targets={"target-1": lost}))
    assert shown() == {"host_key_changed"}
    down = replace(full, state="target_unreachable")
    await push(hass, engine, replace(RUNNING, targets={"target-1": down}))
    assert shown() == set(), "a phone that is away is a state, not a repair"
    await push(hass, engine, replace(RUNNING, targets={"target-1": full}))
    await push(hass, engine, replace(RUNNING, targets={}))
    assert shown() == set(), "a removed target takes its repairs along"
