"""Repairs about lost files: how many and where, and gone when all are back."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.media_pipeline.const import DOMAIN
from custom_components.media_pipeline.engine.model import RunStatus, Stage, TargetStatus

from .conftest import Places
from .fake_engine import FakeEngine
from .helpers import folder_target, icloud_entry, make_photo
from .test_repairs import show


def shown(hass: HomeAssistant, key: str, entry: MockConfigEntry, target: str = "") -> Any:
    issue_id = f"{key}_{entry.entry_id}{target}"
    return ir.async_get(hass).async_get_issue(DOMAIN, issue_id)


async def test_told_while_it_lasts(
    hass: HomeAssistant, places: Places, fake_engines: list[FakeEngine]
) -> None:
    entry = icloud_entry(places.archive, folder_target(places.target))
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    engine = fake_engines[0]

    def disk(lost: int) -> dict[str, TargetStatus]:
        return {"target-1": TargetStatus("target-1", "Second disk", "ok", lost=lost)}

    await show(hass, engine, targets=disk(3), archive_damaged=2)
    copies = shown(hass, "target_copies_lost", entry, "_target-1")
    assert copies.translation_placeholders == {
        "name": "Second disk",
        "place": str(places.target),
        "count": "3",
    }
    assert (copies.severity, copies.is_fixable) == (ir.IssueSeverity.WARNING, False)
    files = shown(hass, "archive_files_damaged", entry)
    assert files.translation_placeholders["count"] == "2"
    assert shown(hass, "archive_files_lost", entry) is None

    await show(hass, engine, targets=disk(2), archive_damaged=2, status=RunStatus.VERIFY)
    copies = shown(hass, "target_copies_lost", entry, "_target-1")
    assert copies.translation_placeholders["count"] == "3", "not every second while a run goes on"
    await show(hass, engine, targets=disk(1), archive_lost=1)
    copies = shown(hass, "target_copies_lost", entry, "_target-1")
    assert copies.translation_placeholders["count"] == "1"
    assert shown(hass, "archive_files_damaged", entry) is None
    lost = shown(hass, "archive_files_lost", entry)
    assert (lost.severity, lost.translation_placeholders["count"]) == (ir.IssueSeverity.ERROR, "1")

    # a reload takes over what is shown
    assert await hass.config_entries.async_reload(entry.entry_id)
    await show(hass, fake_engines[-1], targets=disk(0), archive_lost=1)
    assert shown(hass, "target_copies_lost", entry, "_target-1") is None
    assert shown(hass, "archive_files_lost", entry) is not None
    await show(hass, fake_engines[-1], targets=disk(0))
    assert shown(hass, "archive_files_lost", entry) is None


async def test_lost_and_sent_again(
    hass: HomeAssistant, places: Places, real_entry: MockConfigEntry
) -> None:
    """With the real engine: the archive is not there to send from, then it is."""
    engine = real_entry.runtime_data.engine
    make_photo(places.photos / "one.jpg", 7)
    await engine.wait_run(await engine.start_run())
    (copy, *_) = sorted(places.target.rglob("*.jpg"))
    original = places.archive / copy.relative_to(places.target)
    data = original.read_bytes()
    copy.unlink()
    original.unlink()
    await engine.wait_run(await engine.start_run((Stage.VERIFY,), prove_all=True))
    await hass.async_block_till_done()
    assert shown(hass, "target_copies_lost", real_entry, "_target-1") is not None
    assert shown(hass, "archive_files_damaged", real_entry) is not None
    assert any(path.read_bytes() == data for path in places.photos.rglob("*.jpg"))
    await engine.wait_run(await engine.start_run())
    await hass.async_block_till_done()
    assert copy.read_bytes() == original.read_bytes() == data
    assert shown(hass, "target_copies_lost", real_entry, "_target-1") is None
    assert shown(hass, "archive_files_damaged", real_entry) is None
