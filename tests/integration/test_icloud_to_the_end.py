"""The main job in Home Assistant: iCloud to archive and target, proven, freed and restored."""

from collections.abc import Callable
from typing import Any

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import get_system_health_info

from custom_components.media_pipeline.const import DOMAIN
from tests.icloud_server.client import StandIn

from .conftest import Places
from .helpers import folder_target, icloud_entry
from .test_signing_in_again import reauth_flow, until

type Start = Callable[..., StandIn]


async def call(hass: HomeAssistant, name: str, **data: Any) -> Any:
    return await hass.services.async_call(
        DOMAIN, name, data, blocking=True, return_response=name != "submit_verification_code"
    )


async def test_main_job(hass: HomeAssistant, places: Places, stand_in: Start) -> None:
    server = stand_in(assets=6)
    places.target.mkdir()
    entry = icloud_entry(
        places.archive,
        folder_target(places.target),
        required_copies=1,
        require_off_machine=False,
        min_age_days=0,
        compress_photos=False,
        compress_videos=False,
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await reauth_flow(hass)
    await call(hass, "submit_verification_code", code=server.code)
    result = await call(hass, "run", wait=True)
    assert result["outcome"] == "completed", result
    items = len([asset for asset in server.assets() if not asset["deleted"]])
    await until(hass, "sensor.icloud_photos_archived_items", str(items))
    await until(hass, "sensor.icloud_photos_protected", "100.0")

    await hass.services.async_call(
        "button", "press", {"entity_id": "button.icloud_photos_plan_cleanup"}, blocking=True
    )
    planned = await call(hass, "plan_cleanup", limit=2)
    plan_id = planned["plan"]["plan_id"]
    assert planned["plan"]["state"] == "proposed"
    assert planned["plan"]["assets"] == 2
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "cleanup", plan_id=plan_id, dry_run=False)
    assert caught.value.translation_key == "plan_wrong_state"
    await call(hass, "approve_cleanup", plan_id=plan_id)
    await call(hass, "cleanup", plan_id=plan_id)
    assert server.state()["trashed"] == 0, "a dry run is the default"
    freed = await call(hass, "cleanup", plan_id=plan_id, dry_run=False)
    assert freed["plan"]["state"] == "executed"
    assert freed["plan"]["freed_assets"] == 2
    assert server.state()["trashed"] == 2
    undone = await call(hass, "undo_cleanup", plan_id=plan_id)
    assert undone["plan"]["state"] == "undone"
    assert server.state()["trashed"] == 0

    assert await async_setup_component(hass, "system_health", {})
    await hass.async_block_till_done()
    info = await get_system_health_info(hass, DOMAIN)
    assert (info["sources"], info["running"], info["items"]) == (1, 0, items)
    assert info["pyicloud"]
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert entry.state is ConfigEntryState.NOT_LOADED
