"""Setting up, failing to, unloading, reloading, shutting down and removing."""

from pathlib import Path
from unittest.mock import patch

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.media_pipeline.const import DOMAIN
from custom_components.media_pipeline.engine import errors

from .conftest import Places
from .fake_engine import FakeEngine
from .helpers import folder_target, icloud_entry


async def test_loads_and_unloads(
    hass: HomeAssistant, fake_entry: MockConfigEntry, fake_engines: list[FakeEngine]
) -> None:
    engine = fake_engines[0]
    assert engine.running
    assert await hass.config_entries.async_unload(fake_entry.entry_id)
    assert fake_entry.state is ConfigEntryState.NOT_LOADED
    assert not engine.running
    engine.on_snapshot(engine.snapshot)
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    ("error", "state", "issue"),
    [
        (errors.MarkerMissing, ConfigEntryState.SETUP_RETRY, "archive_marker_missing"),
        (errors.MarkerForeign, ConfigEntryState.SETUP_RETRY, "archive_marker_foreign"),
        (errors.DeviceChanged, ConfigEntryState.SETUP_RETRY, "archive_device_changed"),
        (errors.TargetReadOnly, ConfigEntryState.SETUP_RETRY, "archive_read_only"),
        (errors.CatalogUnusable, ConfigEntryState.SETUP_ERROR, "catalog_unusable"),
    ],
)
async def test_start_refused_then_repaired(
    hass: HomeAssistant,
    places: Places,
    fake_engines: list[FakeEngine],
    issue_registry: ir.IssueRegistry,
    error: type[errors.PipelineError],
    state: ConfigEntryState,
    issue: str,
) -> None:
    entry = icloud_entry(places.archive)
    entry.add_to_hass(hass)
    with patch.object(FakeEngine, "start", side_effect=error("why")):
        assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is state
    assert entry.error_reason_translation_key == error.key
    assert not fake_engines[0].running
    shown = issue_registry.async_get_issue(DOMAIN, f"{issue}_{entry.entry_id}")
    assert shown is not None
    assert shown.translation_key == issue

    assert await hass.config_entries.async_reload(entry.entry_id)
    assert issue_registry.async_get_issue(DOMAIN, f"{issue}_{entry.entry_id}") is None


async def test_private_dir_unusable(
    hass: HomeAssistant, places: Places, fake_engines: list[FakeEngine]
) -> None:
    entry = icloud_entry(places.archive)
    entry.add_to_hass(hass)
    (places.config / ".storage").mkdir(exist_ok=True)
    (places.config / ".storage" / DOMAIN).write_text("in the way")
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert entry.error_reason_translation_key == "private_dir_unusable"


async def test_first_numbers_fail(
    hass: HomeAssistant, places: Places, fake_engines: list[FakeEngine]
) -> None:
    entry = icloud_entry(places.archive)
    entry.add_to_hass(hass)
    with patch.object(FakeEngine, "refresh", side_effect=errors.EngineStopped("why")):
        assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert not fake_engines[0].running


async def test_shutdown_stops_the_engine(
    hass: HomeAssistant, fake_entry: MockConfigEntry, fake_engines: list[FakeEngine]
) -> None:
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    await hass.async_block_till_done()
    assert not fake_engines[0].running


async def test_only_changes_that_matter_reload(
    hass: HomeAssistant, fake_entry: MockConfigEntry, fake_engines: list[FakeEngine]
) -> None:
    hass.config_entries.async_update_entry(fake_entry, title="Family")
    await hass.async_block_till_done()
    assert len(fake_engines) == 1
    hass.config_entries.async_update_entry(fake_entry, options={"downloads": 3})
    await hass.async_block_till_done()
    assert [engine.running for engine in fake_engines] == [False, True]
    assert fake_engines[1].config.downloads == 3


async def test_devices_of_source_and_targets(
    hass: HomeAssistant,
    places: Places,
    fake_engines: list[FakeEngine],
    device_registry: dr.DeviceRegistry,
) -> None:
    entry = icloud_entry(places.archive, folder_target(places.target))
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()

    def device(key: str) -> dr.DeviceEntry | None:
        return device_registry.async_get_device_by_identifier((DOMAIN, key), entry.entry_id)

    source = device(entry.entry_id)
    target = device(f"{entry.entry_id}_target-1")
    assert source is not None
    assert target is not None
    assert source.entry_type is target.entry_type is dr.DeviceEntryType.SERVICE
    assert target.via_device_id == source.id
    assert target.config_subentry_id == "target-1"

    hass.config_entries.async_remove_subentry(entry, "target-1")
    await hass.async_block_till_done()
    assert device(f"{entry.entry_id}_target-1") is None
    assert fake_engines[-1].config.targets == ()


async def test_removal_leaves_the_photos_alone(
    hass: HomeAssistant,
    places: Places,
    fake_entry: MockConfigEntry,
    fake_engines: list[FakeEngine],
    issue_registry: ir.IssueRegistry,
) -> None:
    private: Path = fake_engines[0].config.private_dir
    (private / "session").mkdir()
    (private / "session" / "cookie").write_text("secret")
    (places.archive / "photo.jpg").write_bytes(b"photo")
    before = {path: path.read_bytes() for path in places.root.rglob("*.jp*g")}
    assert await hass.config_entries.async_remove(fake_entry.entry_id)
    await hass.async_block_till_done()
    assert not private.exists()
    assert {path: path.read_bytes() for path in places.root.rglob("*.jp*g")} == before
    assert not [key for key in issue_registry.issues if key[0] == DOMAIN]
