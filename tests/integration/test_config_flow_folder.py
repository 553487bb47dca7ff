"""Setting up a folder source: the way through, every refusal, and going on after it."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from homeassistant.config_entries import SOURCE_USER, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from custom_components.media_pipeline.const import DOMAIN
from custom_components.media_pipeline.engine.marker import MARKER_NAME, read_marker

from .conftest import Places
from .fake_engine import FakeEngine
from .helpers import folder_entry

SAFETY = {
    "required_copies": 2.0,
    "require_off_machine": False,
    "compress_photos": True,
    "compress_videos": False,
}


async def begin(hass: HomeAssistant) -> Any:
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert result["type"] is FlowResultType.MENU
    return await answer(hass, result, {"next_step_id": "folder"})


async def answer(hass: HomeAssistant, result: Any, user_input: dict[str, Any]) -> Any:
    return await hass.config_entries.flow.async_configure(result["flow_id"], user_input)


async def to_archive(hass: HomeAssistant, places: Places) -> Any:
    result = await answer(hass, await begin(hass), {"folder": str(places.photos)})
    assert result["step_id"] == "archive"
    return result


async def test_the_way_through(
    hass: HomeAssistant, places: Places, fake_engines: list[FakeEngine]
) -> None:
    result = await to_archive(hass, places)
    result = await answer(
        hass, result, {"archive": f" {places.archive}/ ", "archive_off_machine": True}
    )
    assert result["step_id"] == "safety"
    assert not {"min_age_days", "protect_hidden"} & {str(k) for k in result["data_schema"].schema}
    result = await answer(hass, result, SAFETY)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()

    entry = result["result"]
    assert entry.state is ConfigEntryState.LOADED
    assert entry.title == "Photo folder"
    assert entry.unique_id == f"folder:{places.photos}"
    assert dict(entry.data) == {
        "source": "folder",
        "folder": str(places.photos),
        "archive": str(places.archive),
        "archive_id": read_marker(places.archive),
        "archive_device": entry.data["archive_device"],
    }
    assert dict(entry.options) == {
        "archive_off_machine": True,
        "required_copies": 2,
        "require_off_machine": False,
        "compress_photos": True,
        "compress_videos": False,
    }
    assert sorted(path.name for path in places.archive.iterdir()) == [MARKER_NAME]
    config = fake_engines[0].config
    assert config.archive == places.archive
    assert config.archive_off_machine
    assert not config.compress.videos
    assert config.private_dir.stat().st_mode & 0o777 == 0o700
    # the first target comes next
    flow = hass.config_entries.subentries.async_get(result["next_flow"][1])
    assert flow["handler"] == (entry.entry_id, "target")


async def test_folder_refused_then_accepted(
    hass: HomeAssistant, places: Places, fake_engines: list[FakeEngine]
) -> None:
    result = await begin(hass)
    for folder, error in (
        ("photos", "not_absolute"),
        ("/", "is_root"),
        (str(places.root / "nothing"), "folder_missing"),
    ):
        result = await answer(hass, result, {"folder": folder})
        assert result["errors"] == {"folder": error}
    with patch("os.access", return_value=False):
        result = await answer(hass, result, {"folder": str(places.photos)})
    assert result["errors"] == {"folder": "folder_not_readable"}
    result = await answer(hass, result, {"folder": str(places.photos)})
    assert result["step_id"] == "archive"


async def test_archive_refused_then_accepted(
    hass: HomeAssistant, places: Places, fake_engines: list[FakeEngine]
) -> None:
    result = await to_archive(hass, places)
    file = places.root / "file"
    file.write_text("x")
    (places.root / "link").symlink_to(places.config, target_is_directory=True)
    refused = {
        "archive": "not_absolute",
        "/": "is_root",
        str(places.config / "photos"): "in_config",
        str(places.root / "link" / "photos"): "in_config",
        str(places.photos / "archive"): "overlaps",
        str(places.root): "overlaps",
        str(file): "not_a_folder",
        str(places.root / "no" / "where"): "parent_missing",
        "/proc/archive": "not_writable",
    }
    for path, error in refused.items():
        result = await answer(hass, result, {"archive": path, "archive_off_machine": False})
        assert result["errors"] == {"archive": error}, path
    result = await answer(
        hass, result, {"archive": str(places.archive), "archive_off_machine": False}
    )
    assert result["step_id"] == "safety"


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        ({"target": "shutil.disk_usage", "return_value": type("U", (), {"free": 5})}, "no_space"),
        ({"target": "os.fsync", "side_effect": OSError(28, "full")}, "not_writable"),
        (
            {"target": "pathlib.Path.read_bytes", "return_value": b"other bytes"},
            "read_back_differs",
        ),
    ],
)
async def test_archive_on_bad_storage(
    hass: HomeAssistant,
    places: Places,
    fake_engines: list[FakeEngine],
    broken: dict[str, Any],
    error: str,
) -> None:
    result = await to_archive(hass, places)
    form = {"archive": str(places.archive), "archive_off_machine": False}
    with patch(**broken):
        result = await answer(hass, result, form)
    assert result["errors"] == {"archive": error}
    assert not places.archive.exists(), "what was made for the test is gone again"
    result = await answer(hass, result, form)
    assert result["step_id"] == "safety"


async def test_archive_marker_can_not_be_written(
    hass: HomeAssistant, places: Places, fake_engines: list[FakeEngine]
) -> None:
    result = await to_archive(hass, places)
    form = {"archive": str(places.archive), "archive_off_machine": False}
    with patch("custom_components.media_pipeline.archive_check.claim_folder", side_effect=OSError):
        result = await answer(hass, result, form)
    assert result["errors"] == {"archive": "not_writable"}


async def test_same_folder_twice(
    hass: HomeAssistant, places: Places, fake_engines: list[FakeEngine]
) -> None:
    folder_entry(places.photos, places.archive).add_to_hass(hass)
    result = await answer(hass, await begin(hass), {"folder": str(places.photos)})
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"


async def test_second_source_gets_its_own_title_and_archive(
    hass: HomeAssistant, places: Places, fake_engines: list[FakeEngine]
) -> None:
    folder_entry(places.photos, places.archive, places.target).add_to_hass(hass)
    other: Path = places.root / "inbox"
    other.mkdir()
    result = await answer(hass, await begin(hass), {"folder": str(other)})
    for taken in (places.archive, places.target):
        form = {"archive": str(taken), "archive_off_machine": False}
        result = await answer(hass, result, form)
        assert result["errors"] == {"archive": "overlaps"}
    form = {"archive": str(places.root / "archive 2"), "archive_off_machine": False}
    result = await answer(hass, result, form)
    result = await answer(hass, result, SAFETY)
    assert result["title"] == "Photo folder 2"
    await hass.async_block_till_done()
