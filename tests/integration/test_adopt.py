"""The action ``adopt`` on a real engine: reported first, then taken over, then nothing to fetch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.media_pipeline.const import DOMAIN
from tests.engine.adopt import trees
from tests.icloud_server.client import StandIn

from .conftest import Places
from .fake_engine import FakeEngine
from .helpers import folder_target, icloud_entry
from .test_signing_in_again import reauth_flow, until

type Start = Callable[..., StandIn]

ASSETS = 8


async def adopt(hass: HomeAssistant, path: Path, **data: Any) -> Any:
    return await hass.services.async_call(
        DOMAIN, "adopt", {"path": str(path), **data}, blocking=True, return_response=True
    )


async def test_a_tree_is_reported_then_adopted(
    hass: HomeAssistant, places: Places, stand_in: Start
) -> None:
    server = stand_in(assets=ASSETS)
    places.target.mkdir()
    entry = icloud_entry(places.archive, folder_target(places.target), compress_photos=False)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await reauth_flow(hass)
    await hass.services.async_call(
        DOMAIN, "submit_verification_code", {"code": server.code}, blocking=True
    )
    files = trees.pieces(server, ASSETS)
    kept, missing = files[:-1], files[-1]
    tree = places.root / "icloudpd"
    trees.icloudpd(tree, kept)

    with pytest.raises(ServiceValidationError) as caught:
        await adopt(hass, tree)
    assert caught.value.translation_key == "adopt_folder_not_allowed"
    assert caught.value.translation_placeholders == {"path": str(tree)}

    hass.config.allowlist_external_dirs.add(str(places.root))
    wanted = {"files": len(kept), "bytes": sum(len(piece.data) for piece in kept)}
    left = {"files": 1, "bytes": len(missing.data)}
    dry = await adopt(hass, tree)
    assert (dry["dry_run"], dry["complete"], dry["way"]) == (True, True, "link")
    assert (dry["adopted"], dry["left"], dry["files"]["matched"]) == (wanted, left, wanted)
    assert dry["samples"]["matched"][0].endswith((".HEIC", ".JPG", ".MOV", ".PNG", ".DNG"))
    state = hass.states.get("sensor.icloud_photos_archived_items")
    assert state is not None
    assert state.state == "0"

    done = await adopt(hass, tree, dry_run=False)
    assert (done["adopted"], done["left"], done["files"]["adopted"]) == (wanted, left, wanted)
    result = await hass.services.async_call(
        DOMAIN, "run", {"wait": True}, blocking=True, return_response=True
    )
    assert isinstance(result, dict)
    assert result["outcome"] == "completed", result
    await until(hass, "sensor.icloud_photos_archived_items", str(ASSETS))
    assert server.counts()["content_bytes"] == len(missing.data)
    for known in hass.states.async_all():
        assert str(tree) not in str(known.as_dict()), "no path in a state"
    assert await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize(
    ("place", "key"),
    [
        ("nowhere", "adopt_folder_missing"),
        ("target", "adopt_folder_in_use"),
        ("empty", "adopt_folder_empty"),
        ("other", "adopt_folder_in_use"),
    ],
)
async def test_bad_folders(
    hass: HomeAssistant, places: Places, stand_in: Start, place: str, key: str
) -> None:
    server = stand_in(assets=2)
    places.target.mkdir()
    entry = icloud_entry(places.archive, folder_target(places.target))
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await reauth_flow(hass)
    await hass.services.async_call(
        DOMAIN, "submit_verification_code", {"code": server.code}, blocking=True
    )
    hass.config.allowlist_external_dirs.add(str(places.root))
    (places.root / "empty").mkdir()
    (places.root / "other").mkdir()
    (places.root / "other" / ".media_pipeline.json").write_text('{"id": "somebody"}')
    with pytest.raises(ServiceValidationError) as caught:
        await adopt(hass, places.root / place)
    assert caught.value.translation_key == key
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_a_folder_source_has_no_checksums(
    hass: HomeAssistant, places: Places, real_entry: MockConfigEntry
) -> None:
    hass.config.allowlist_external_dirs.add(str(places.root))
    with pytest.raises(ServiceValidationError) as caught:
        await adopt(hass, places.photos)
    assert caught.value.translation_key == "adopt_not_supported"
    assert await hass.config_entries.async_unload(real_entry.entry_id)


async def test_what_the_engine_is_asked(
    hass: HomeAssistant,
    places: Places,
    fake_entry: MockConfigEntry,
    fake_engines: list[FakeEngine],
) -> None:
    """Below the archive no list is asked; a dry run is the default; configuration is not read."""
    for folder in (places.archive / "old", places.config / "www", places.config / "secret"):
        folder.mkdir()
    hass.config.allowlist_external_dirs.add(str(places.config / "www"))
    await adopt(hass, places.archive / "old")
    await adopt(hass, places.config / "www", dry_run=False, mode="copy")
    requests = [data["request"] for name, data in fake_engines[0].calls if name == "adopt"]
    assert [(r.root, r.dry_run, r.mode) for r in requests] == [
        (places.archive / "old", True, "link"),
        (places.config / "www", False, "copy"),
    ]
    assert not requests[0].may_read(places.config / "secret")
    for data in (
        {"path": places.config / "secret"},
        {"path": places.archive / "old", "kei_database": str(places.config / "secret")},
    ):
        with pytest.raises(ServiceValidationError) as caught:
            await adopt(hass, **data)
        assert caught.value.translation_key == "adopt_folder_not_allowed"
