"""The main job in a real `hass` process, set up through its dialogs as a user would."""

import pytest

from scripts.demo_lib.demo import Demo

from .hass_log import complaints

pytestmark = [pytest.mark.timeout(240), pytest.mark.usefixtures("socket_enabled")]


async def test_main_job() -> None:
    """Sign-in to freed space: every number of the catalog is also found by measuring."""
    async with Demo(assets=40) as demo:
        await demo.run()
        await demo.clean_up()
        report = await demo.report()
        assert report.agrees, report.table()
        assert report.value("assets archived, Apple's checksum right") == 40
        assert report.value("freed, in Recently Deleted") > 20
        assert report.value("smaller versions made") > 10
        assert set(report.kept_because) == {"protected_favorite", "protected_hidden", "too_young"}
        await _entities_are_plausible(demo)
        # without this list no page of Home Assistant opens in a browser
        assert "plan_cleanup" in (await demo.api.command("get_services"))["media_pipeline"]
        await demo.hass.stop()
        assert complaints(demo.places.log_text()) == []


async def _entities_are_plausible(demo: Demo) -> None:
    state = await demo.states()
    freed = demo.freed_assets
    assert state["status"] == "idle"
    assert state["last_run_result"] == "completed"
    assert int(state["library_items"]) == 40 - freed
    assert int(state["archived_items"]) == 40
    assert float(state["protected"]) == 100.0
    assert float(state["pending_purge_size"]) > 0
    assert float(state["freeable_size"]) == 0
    assert float(state["icloud_used"]) > 0
    assert float(state["archive_free"]) > 1
    assert state["authenticated"] == "on"
    assert state["problem"] == "off"
    assert int(state["quarantined_items"]) == 0
    assert state["outcome"] != "unknown"
    for target_id in demo.installed.targets.values():
        assert state[f"{target_id}_state"] == "ok"
        assert int(state[f"{target_id}_copies"]) > 40
        assert int(state[f"{target_id}_missing"]) == 0
    assert not {key for key, value in state.items() if value == "unavailable"}
