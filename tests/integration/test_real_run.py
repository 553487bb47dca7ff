"""The real engine inside Home Assistant: a folder, its archive and a target; all on disk."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.media_pipeline.const import DOMAIN
from custom_components.media_pipeline.engine.marker import MARKER_NAME

from .conftest import Places
from .helpers import folder_entry, make_photo

pytestmark = pytest.mark.usefixtures("socket_enabled")


async def call(hass: HomeAssistant, name: str, **data: Any) -> Any:
    return await hass.services.async_call(
        DOMAIN, name, data, blocking=True, return_response=name not in {"pause", "cancel"}
    )


async def settle(hass: HomeAssistant) -> None:
    """Let the engine's last snapshot arrive."""
    await asyncio.sleep(0.1)
    await hass.async_block_till_done()


def hashes(folder: Path) -> set[str]:
    return {
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.JPG")
        if path.is_file()
    }


def state(hass: HomeAssistant, entity_id: str) -> str:
    found = hass.states.get(entity_id)
    assert found is not None, entity_id
    return found.state


async def test_run_and_its_numbers(
    hass: HomeAssistant, places: Places, real_entry: MockConfigEntry
) -> None:
    changes = async_capture_events(hass, "state_changed")
    result = await call(hass, "run", wait=True)
    assert result["outcome"] == "completed", result
    await settle(hass)
    originals = hashes(places.photos)
    assert len(originals) == 4
    assert hashes(places.archive) == originals
    assert hashes(places.target) == originals
    size = sum(path.stat().st_size for path in places.photos.iterdir())
    assert state(hass, "sensor.photo_folder_status") == "idle"
    assert state(hass, "sensor.photo_folder_library_items") == "4"
    assert float(state(hass, "sensor.photo_folder_library_size")) == pytest.approx(size / (1 << 30))
    assert state(hass, "sensor.photo_folder_archived_items") == "4"
    assert state(hass, "sensor.photo_folder_protected") == "0.0", "two copies die with one disk"
    assert state(hass, "sensor.photo_folder_last_run_result") == "completed"
    assert float(state(hass, "sensor.photo_folder_archive_free_space")) > 0
    assert state(hass, "binary_sensor.photo_folder_problem") == "off"
    assert state(hass, "sensor.second_disk_state") == "ok"
    assert int(state(hass, "sensor.second_disk_copies")) >= 4
    assert state(hass, "sensor.second_disk_last_verified") != "unknown"
    outcome = hass.states.get("event.photo_folder_outcome")
    assert outcome is not None
    assert outcome.attributes["event_type"] == "run_completed"
    hass.config_entries.async_update_entry(
        real_entry, options={"required_copies": 1, "require_off_machine": False}
    )
    await hass.async_block_till_done()
    assert state(hass, "sensor.photo_folder_protected") == "100.0"
    text = str([event.data["new_state"].as_dict() for event in changes if event.data["new_state"]])
    assert "IMG_000" not in text
    assert str(places.root) not in text


async def test_a_folder_frees_nothing(hass: HomeAssistant, real_entry: MockConfigEntry) -> None:
    for name, data in (("cleanup", {"plan_id": "nothing"}), ("approve_cleanup", {"plan_id": "x"})):
        with pytest.raises(ServiceValidationError) as caught:
            await call(hass, name, **data)
        assert caught.value.translation_key in {"plan_not_found", "not_supported_by_source"}
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "cancel")
    assert caught.value.translation_key == "no_active_run"


async def many_photos(places: Places, count: int = 60) -> None:
    for number in range(count):
        make_photo(places.photos / f"MORE_{number:04}.JPG", number + 10)


@pytest.mark.parametrize("how", ["unload", "reload", "options", "shutdown", "remove"])
async def test_interrupted_run_goes_on_with_the_next(
    hass: HomeAssistant, places: Places, real_entry: MockConfigEntry, how: str
) -> None:
    await many_photos(places)
    await call(hass, "run")
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "run")
    assert caught.value.translation_key == "run_active"
    if how == "shutdown":
        await hass.async_stop(force=True)
    elif how == "remove":
        assert await hass.config_entries.async_remove(real_entry.entry_id)
        assert len(hashes(places.photos)) == 64
        assert (places.archive / MARKER_NAME).exists()
        assert not list((places.config / ".storage" / DOMAIN).iterdir())
        return
    elif how == "options":
        hass.config_entries.async_update_entry(
            real_entry, options={**real_entry.options, "downloads": 2}
        )
        await hass.async_block_till_done()
    else:
        assert await hass.config_entries.async_unload(real_entry.entry_id)
        assert real_entry.state is ConfigEntryState.NOT_LOADED
        assert await hass.config_entries.async_setup(real_entry.entry_id)
    if how == "shutdown":
        return
    await hass.async_block_till_done()
    result = await call(hass, "run", wait=True)
    assert result["outcome"] == "completed"
    assert hashes(places.archive) == hashes(places.target) == hashes(places.photos)
    assert len(list(places.archive.rglob("*.JPG"))) == 64, "nothing is done twice"


async def test_cancel_while_the_action_waits(
    hass: HomeAssistant, places: Places, real_entry: MockConfigEntry
) -> None:
    await many_photos(places)
    waiting = hass.async_create_background_task(call(hass, "run", wait=True), "run")
    while real_entry.runtime_data.engine.snapshot.run is None:
        await asyncio.sleep(0.01)
    await call(hass, "pause")
    assert real_entry.runtime_data.engine.snapshot.status == "paused"
    await call(hass, "cancel")
    assert (await waiting)["outcome"] == "cancelled"


async def test_archive_lost_then_repaired(
    hass: HomeAssistant,
    places: Places,
    real_entry: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
) -> None:
    assert await hass.config_entries.async_unload(real_entry.entry_id)
    marker = places.archive / MARKER_NAME
    text = marker.read_text()
    marker.unlink()
    assert not await hass.config_entries.async_setup(real_entry.entry_id)
    assert real_entry.state is ConfigEntryState.SETUP_RETRY
    assert real_entry.error_reason_translation_key == "marker_missing"
    issue_id = f"archive_marker_missing_{real_entry.entry_id}"
    assert issue_registry.async_get_issue(DOMAIN, issue_id)
    marker.write_text(text)
    assert await hass.config_entries.async_reload(real_entry.entry_id)
    await hass.async_block_till_done()
    assert issue_registry.async_get_issue(DOMAIN, issue_id) is None


async def test_lost_target_is_told_and_the_rest_goes_on(
    hass: HomeAssistant, places: Places, issue_registry: ir.IssueRegistry
) -> None:
    other = places.root / "target 2"
    entry = folder_entry(places.photos, places.archive, places.target, other, compress_photos=False)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    await call(hass, "run", wait=True)
    (other / MARKER_NAME).unlink()
    make_photo(places.photos / "LATER.JPG", 99)
    result = await call(hass, "run", wait=True)
    assert result["outcome"] == "completed_with_problems"
    await settle(hass)
    assert hashes(places.target) == hashes(places.photos)
    assert state(hass, "sensor.second_disk_state_2") == "marker_missing"
    assert state(hass, "binary_sensor.photo_folder_problem") == "on"
    assert issue_registry.async_get_issue(
        DOMAIN, f"target_marker_missing_{entry.entry_id}_target-2"
    )


async def test_diagnostics_tell_nothing_personal(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    places: Places,
    real_entry: MockConfigEntry,
) -> None:
    await call(hass, "run", wait=True)
    assert await async_setup_component(hass, "diagnostics", {})
    found: Any = await get_diagnostics_for_config_entry(hass, hass_client, real_entry)
    text = json.dumps(found)
    for secret in (str(places.root), "IMG_000", "photo_folder/", real_entry.data["archive_id"]):
        assert secret not in text
    assert found["data"] == {
        "source": "folder",
        "folder": "**REDACTED**",
        "archive": "**REDACTED**",
        "archive_id": "**REDACTED**",
        "archive_device": "**REDACTED**",
    }
    assert found["targets"] == [
        {"kind": "folder", "path": "**REDACTED**", "content": "originals", "off_machine": True}
    ]
    assert found["engine"]["library"]["items"] == 4


async def test_changing_a_target_whose_mount_is_away(
    hass: HomeAssistant, places: Places, real_entry: MockConfigEntry
) -> None:
    """Saving the form must not make a target of the empty folder below the mount."""
    await call(hass, "run", wait=True)
    places.target.rename(places.root / "unmounted")
    places.target.mkdir()
    result: Any = await real_entry.start_subentry_reconfigure_flow(hass, "target-1")
    form = {"name": "Disk", "path": str(places.target), "content": "both", "off_machine": False}
    configure = hass.config_entries.subentries.async_configure
    result = await configure(result["flow_id"], form)
    assert result["errors"] == {"base": "marker_missing"}
    assert list(places.target.iterdir()) == []
    places.target.rmdir()
    (places.root / "unmounted").rename(places.target)
    result = await configure(result["flow_id"], form)
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
