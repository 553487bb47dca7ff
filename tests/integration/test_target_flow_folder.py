"""Adding and changing a target that is a folder, and what may be wrong there."""

from unittest.mock import patch

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.media_pipeline.engine import errors
from custom_components.media_pipeline.engine.config import FolderTargetConfig
from custom_components.media_pipeline.engine.marker import MARKER_NAME
from custom_components.media_pipeline.engine.media.jobs import PhotoFormat
from custom_components.media_pipeline.engine.model import Content

from .conftest import Places
from .fake_engine import FakeEngine
from .target_forms import FOLDER, answer, begin, only_target


async def test_folder(
    hass: HomeAssistant, places: Places, fake_entry: MockConfigEntry, fake_engines: list[FakeEngine]
) -> None:
    result = await begin(hass, fake_entry, "folder")
    refused = {
        "target": "not_absolute",
        str(places.config / "target"): "in_config",
        str(places.archive / "target"): "overlaps",
        str(places.root / "no" / "where"): "parent_missing",
    }
    for path, error in refused.items():
        result = await answer(hass, result, FOLDER | {"path": path})
        assert result["errors"] == {"path": error}
    result = await answer(hass, result, FOLDER | {"path": str(places.target)})
    assert result["type"] is FlowResultType.CREATE_ENTRY

    subentry = only_target(fake_entry)
    assert subentry.title == "Second disk"
    assert subentry.unique_id == f"folder:{places.target}"
    assert dict(subentry.data) == {
        "kind": "folder",
        "path": str(places.target),
        "content": "originals",
        "off_machine": True,
    }
    assert [path.name for path in places.target.iterdir()] == [MARKER_NAME]
    assert fake_engines[-1].running
    assert fake_engines[-1].config.targets == (
        FolderTargetConfig(
            target_id=subentry.subentry_id,
            name="Second disk",
            path=places.target,
            content=Content.ORIGINALS,
            off_machine=True,
        ),
    )
    result = await begin(hass, fake_entry, "folder")
    result = await answer(hass, result, FOLDER | {"path": str(places.target / "again")})
    assert result["errors"] == {"path": "overlaps"}


async def test_folder_target_can_not_be_used(
    hass: HomeAssistant, places: Places, fake_entry: MockConfigEntry
) -> None:
    result = await begin(hass, fake_entry, "folder")
    with patch(
        "custom_components.media_pipeline.target_steps.probe_target",
        side_effect=errors.TargetReadOnly("why"),
    ):
        result = await answer(hass, result, FOLDER | {"path": str(places.target)})
    assert result["errors"] == {"base": "target_read_only"}
    with patch(
        "custom_components.media_pipeline.target_steps.probe_target",
        side_effect=errors.UrlExpired("why"),
    ):
        result = await answer(hass, result, FOLDER | {"path": str(places.target)})
    assert result["errors"] == {"base": "unknown"}, "what a target never says is no text either"
    result = await answer(hass, result, FOLDER | {"path": str(places.target)})
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_folder_reconfigure(
    hass: HomeAssistant, places: Places, fake_entry: MockConfigEntry, fake_engines: list[FakeEngine]
) -> None:
    result = await begin(hass, fake_entry, "folder")
    await answer(hass, result, FOLDER | {"path": str(places.target)})
    subentry_id = only_target(fake_entry).subentry_id

    result = await fake_entry.start_subentry_reconfigure_flow(hass, subentry_id)
    assert result["step_id"] == "folder"
    form = {"name": "Big disk", "path": str(places.target), "content": "both", "off_machine": False}
    result = await answer(hass, result, form)
    assert result["reason"] == "reconfigure_successful"
    subentry = only_target(fake_entry)
    assert (subentry.title, subentry.subentry_id) == ("Big disk", subentry_id)
    assert subentry.data["content"] == "both"
    assert fake_engines[-1].config.targets[0].content is Content.BOTH


async def test_a_target_has_its_own_photo_format_until_it_is_cleared(
    hass: HomeAssistant, places: Places, fake_entry: MockConfigEntry, fake_engines: list[FakeEngine]
) -> None:
    form = FOLDER | {"path": str(places.target), "content": "compressed"}
    result = await begin(hass, fake_entry, "folder")
    await answer(hass, result, form | {"photo_format": "avif"})
    assert fake_engines[-1].config.targets[0].photo_format is PhotoFormat.AVIF

    result = await fake_entry.start_subentry_reconfigure_flow(
        hass, only_target(fake_entry).subentry_id
    )
    await answer(hass, result, form)
    assert fake_engines[-1].config.targets[0].photo_format is None
