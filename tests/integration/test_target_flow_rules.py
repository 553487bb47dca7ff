"""Rules of a target: what, where, when; times and conditions open and close it."""

from collections.abc import Iterator
from datetime import datetime
from unittest.mock import patch

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.media_pipeline.engine.model import Kind, Snapshot, TargetStatus
from custom_components.media_pipeline.engine.rules import TargetRules, WhenDeleted

from .conftest import Places
from .fake_engine import FakeEngine
from .target_forms import FOLDER, NO_RULES, answer, begin, only_target


@pytest.fixture
def no_probe() -> Iterator[None]:
    """For frozen clocks: the end of a real probe waits on the loop's clock, which stands still."""
    with (
        patch("custom_components.media_pipeline.target_steps.probe_target"),
        patch("tests.integration.fake_engine.probe_target"),
    ):
        yield


async def test_rules_are_asked_for_when_wanted(
    hass: HomeAssistant, places: Places, fake_entry: MockConfigEntry, fake_engines: list[FakeEngine]
) -> None:
    form = FOLDER | {"path": str(places.target), "set_rules": True}
    result = await answer(hass, await begin(hass, fake_entry, "folder"), form)
    assert result["step_id"] == "rules"
    assert result["description_placeholders"]["example"] == "2024/05/IMG_0042.HEIC"
    wrong = NO_RULES | {"where": {"layout": "{album}/{name}"}}
    result = await answer(hass, result, wrong)
    assert result["errors"] == {"base": "invalid_layout"}
    assert result["description_placeholders"]["reason"] == "{year}/{month}"
    what = {"kinds": ["video"], "albums": ["Rome"], "favorites": True, "newest_days": 30.0}
    wanted = {
        "what": what | {"captured_from": "2024-05-01"},
        "where": {"layout": "{kind}/{year}/{month}/{name}"},
        "when": {"from": "23:00:00", "until": "06:00:00"},
        "how_long": {"when_deleted": "archive", "keep_days": 7.0, "delete_days": 60.0},
        "proof": {"prove_days": 14.0, "read_back": True},
        "encryption": {"encrypt": False},
    }
    result = await answer(hass, result, wanted)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    subentry = only_target(fake_entry)
    assert subentry.data["rules"]["what"] == what | {"captured_from": "2024-05-01"}
    assert "set_rules" not in subentry.data
    (config,) = fake_engines[-1].config.targets
    assert config.gated
    assert config.rules == TargetRules(
        kinds=(Kind.VIDEO,),
        albums=("Rome",),
        favorites=True,
        newest_days=30,
        captured_from=round(
            datetime(2024, 5, 1, tzinfo=dt_util.get_default_time_zone()).timestamp() * 1000
        ),
        layout="{kind}/{year}/{month}/{name}",
        when_deleted=WhenDeleted.ARCHIVE,
        keep_days=7,
        delete_days=60,
        reverify_days=14,
        read_back=True,
    )

    result = await fake_entry.start_subentry_reconfigure_flow(hass, subentry.subentry_id)
    result = await answer(hass, result, FOLDER | {"path": str(places.target)})
    assert only_target(fake_entry).data["rules"] == subentry.data["rules"], "not asked: they stay"
    result = await fake_entry.start_subentry_reconfigure_flow(hass, subentry.subentry_id)
    result = await answer(hass, result, form)
    shown = {str(key): part for key, part in result["data_schema"].schema.items()}
    layout = next(iter(shown["where"].schema.schema))
    assert layout.description == {"suggested_value": "{kind}/{year}/{month}/{name}"}
    result = await answer(hass, result, NO_RULES)
    assert result["reason"] == "reconfigure_successful"
    assert "rules" not in only_target(fake_entry).data
    (config,) = fake_engines[-1].config.targets
    assert config.rules == TargetRules()
    assert not config.gated


async def test_times_and_conditions_open_and_close_a_target(
    hass: HomeAssistant,
    places: Places,
    fake_entry: MockConfigEntry,
    fake_engines: list[FakeEngine],
    no_probe: None,
    freezer: FrozenDateTimeFactory,
) -> None:
    await hass.config.async_set_time_zone("Europe/Berlin")
    freezer.move_to("2026-11-22T20:00:00Z")  # 21:00 there
    hass.states.async_set("binary_sensor.charging", "on")
    form = FOLDER | {"path": str(places.target), "set_rules": True}
    result = await answer(hass, await begin(hass, fake_entry, "folder"), form)
    when = {"from": "23:00:00", "until": "06:00:00", "conditions": ["binary_sensor.charging"]}
    await answer(hass, result, NO_RULES | {"when": when})
    target = only_target(fake_entry).subentry_id

    def told() -> list[bool]:
        calls = [call for name, call in fake_engines[-1].calls if name == "set_gate"]
        assert {call["target_id"] for call in calls} <= {target}
        return [call["is_open"] for call in calls]

    def runs() -> int:
        return [name for name, _ in fake_engines[-1].calls].count("start_run")

    async def at(moment: str) -> None:
        freezer.move_to(moment)
        async_fire_time_changed(hass)
        await hass.async_block_till_done()

    assert told() == [False]
    engine = fake_engines[-1]
    status = TargetStatus(target, "Second disk", missing=3)
    engine.snapshot = Snapshot(authenticated=True, targets={target: status})
    engine.on_snapshot(engine.snapshot)
    await hass.async_block_till_done()
    await at("2026-11-22T22:00:01Z")
    assert told() == [False, True]
    assert runs() == 1, "what waited is sent"
    hass.states.async_set("binary_sensor.charging", "unavailable")
    await hass.async_block_till_done()
    assert told() == [False, True, False], "what is not known to be on is off"
    hass.states.async_set("binary_sensor.charging", "on")
    await hass.async_block_till_done()
    await at("2026-11-23T05:00:01Z")
    assert told() == [False, True, False, True, False]

    result = await fake_entry.start_subentry_reconfigure_flow(hass, target)
    result = await answer(hass, result, form)
    later = {"from": "05:00:00", "until": "08:00:00"}
    await answer(hass, result, NO_RULES | {"when": later})
    assert fake_engines[-1] is engine, "no new engine for other times"
    assert told()[-1] is True, "07:00 there is within the new times"
