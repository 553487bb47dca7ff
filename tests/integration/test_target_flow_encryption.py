"""Encryption of a target: with a key made for it, and with one from before."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.media_pipeline.diagnostics import async_get_config_entry_diagnostics
from custom_components.media_pipeline.engine.age.keys import AgeKey
from custom_components.media_pipeline.engine.marker import MARKER_NAME

from .conftest import Places
from .fake_engine import FakeEngine
from .target_forms import FOLDER, NO_RULES, answer, begin, only_target


def locked(
    key: str | None = None, *, on: bool = True, hide: bool = False
) -> dict[str, dict[str, Any]]:
    return NO_RULES | {
        "encryption": {"encrypt": on, "hide_names": hide} | ({"encryption_key": key} if key else {})
    }


async def test_encryption_with_a_key_made_for_it(
    hass: HomeAssistant, places: Places, fake_entry: MockConfigEntry, fake_engines: list[FakeEngine]
) -> None:
    form = FOLDER | {"path": str(places.target), "set_rules": True}
    result = await answer(hass, await begin(hass, fake_entry, "folder"), form)
    result = await answer(hass, result, locked())
    assert result["step_id"] == "key"
    key = result["description_placeholders"]["key"]
    assert key.startswith("AGE-SECRET-KEY-1")
    result = await answer(hass, result, {"key_saved": False})
    assert result["errors"] == {"key_saved": "key_not_saved"}
    assert result["description_placeholders"]["key"] == key
    result = await answer(hass, result, {"key_saved": True})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    subentry = only_target(fake_entry)
    assert subentry.data["encryption_key"] == key
    (config,) = fake_engines[-1].config.targets
    assert config.encryption is not None
    assert config.encryption.key == key
    assert config.encryption.staging is not None
    assert config.encryption.staging.is_relative_to(places.archive)
    assert key not in repr(config)
    assert {path.name for path in places.target.iterdir()} == {MARKER_NAME, "encryption-check.age"}
    diagnostics = await async_get_config_entry_diagnostics(hass, fake_entry)
    assert key not in str(diagnostics)

    result = await fake_entry.start_subentry_reconfigure_flow(hass, subentry.subentry_id)
    result = await answer(hass, result, form)
    assert key not in str(result["data_schema"].schema)
    result = await answer(hass, result, locked(on=False))
    assert result["errors"] == {"base": "encryption_stays"}
    result = await answer(hass, result, locked("AGE-SECRET-KEY-1TYPO"))
    assert result["errors"] == {"base": "invalid_encryption_key"}
    result = await answer(hass, result, locked(AgeKey.generate().text))
    assert result["errors"] == {"base": "encryption_key_differs"}
    result = await answer(hass, result, locked())
    assert result["reason"] == "reconfigure_successful"
    assert only_target(fake_entry).data["encryption_key"] == key


async def test_encryption_with_a_key_from_before(
    hass: HomeAssistant, places: Places, fake_entry: MockConfigEntry
) -> None:
    key = AgeKey.generate()
    form = FOLDER | {"path": str(places.target), "set_rules": True}
    result = await answer(hass, await begin(hass, fake_entry, "folder"), form)
    text = f"# public key: {key.recipient} \n {key.text}\n"
    result = await answer(hass, result, locked(text, hide=True))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert only_target(fake_entry).data["encryption_key"] == key.text
    assert only_target(fake_entry).data["hide_names"] is True
