"""The repair of a lasting difference to Apple's own count."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
from sqlalchemy import Connection, update

from custom_components.media_pipeline.const import DOMAIN
from custom_components.media_pipeline.engine import errors
from custom_components.media_pipeline.engine.catalog import census
from custom_components.media_pipeline.engine.catalog.schema import assets
from custom_components.media_pipeline.engine.model import LibraryCensus
from tests.icloud_server.client import StandIn

from .conftest import Places
from .fake_engine import FakeEngine
from .test_repairs import Post, begin, post, show  # noqa: F401 a fixture
from .test_sign_in_repairs import signed_in, wait_for_issue

type Start = Callable[..., StandIn]
PRIMARY = "PrimarySync"


type Look = Callable[[dict[str, Any]], Any]


@pytest.fixture
async def look(hass: HomeAssistant, hass_client: ClientSessionGenerator) -> Look:
    """Reads where a flow stands, as the frontend does when a wait is over."""
    client = await hass_client()

    async def get(flow: dict[str, Any]) -> dict[str, Any]:
        for _ in range(100):
            answer = await client.get(f"/api/repairs/issues/fix/{flow['flow_id']}")
            result: dict[str, Any] = await answer.json()
            if result["type"] != "progress":
                return result
            await asyncio.sleep(0.05)
        raise AssertionError("the comparison does not end")

    return get


def issue(hass: HomeAssistant, entry: MockConfigEntry) -> ir.IssueEntry | None:
    return ir.async_get(hass).async_get_issue(DOMAIN, f"library_difference_{entry.entry_id}")


async def test_after_three_looks_and_gone_with_the_difference(
    hass: HomeAssistant, fake_entry: MockConfigEntry, fake_engines: list[FakeEngine]
) -> None:
    fine = LibraryCensus(0, 6, 6)
    for times, shown in ((1, False), (2, False), (3, True), (4, True)):
        missing = LibraryCensus(0, 20, 24, 0, times)
        await show(hass, fake_engines[0], census={PRIMARY: missing, "Shared": fine})
        found = issue(hass, fake_entry)
        assert (found is not None) is shown, times
        assert found is None or (found.is_fixable, found.severity) == (True, "warning")
    explained = LibraryCensus(0, 20, 24, 4, 0)
    await show(hass, fake_engines[0], census={PRIMARY: explained})
    assert issue(hass, fake_entry) is None, "a full look could not mend it"
    await show(hass, fake_engines[0], census={PRIMARY: LibraryCensus(0, 20, 24, 0, 3)})
    assert issue(hass, fake_entry) is not None
    await show(hass, fake_engines[0], census={PRIMARY: fine})
    assert issue(hass, fake_entry) is None


async def test_what_keeps_from_comparing_is_said(
    hass: HomeAssistant,
    fake_entry: MockConfigEntry,
    fake_engines: list[FakeEngine],
    post: Post,  # noqa: F811
    look: Look,
) -> None:
    engine = fake_engines[0]
    await show(hass, engine, census={PRIMARY: LibraryCensus(0, 20, 24, 0, 3)})
    flow = await post(begin(f"library_difference_{fake_entry.entry_id}"))
    for error, told in (
        (errors.RunActive(), "run_active"),
        (errors.HeldBack(until=time.time() + 3600), "throttled_until"),
        (errors.CodeRequired(), "not_possible"),
    ):
        engine.error = error
        flow = await post({}, flow)
        assert (flow["type"], flow["progress_action"]) == ("progress", "compare")
        flow = await look(flow)
        assert (flow["step_id"], flow["errors"]) == ("confirm", {"base": told})
        assert ("until" in flow["description_placeholders"]) is (told == "throttled_until")
    engine.error = None
    flow = await look(await post({}, flow))
    assert flow["step_id"] == "compared"
    shown = flow["description_placeholders"]
    assert (shown["found"], shown["left"]) == ("3", "1")
    assert (await post({}, flow))["type"] == "create_entry"


async def test_mended_from_the_repair(
    hass: HomeAssistant,
    places: Places,
    stand_in: Start,
    post: Post,  # noqa: F811
    look: Look,
) -> None:
    """With the real engine: an asset that the change feed never told of."""
    server = stand_in()
    entry = await signed_in(hass, places, server)
    await hass.services.async_call(
        DOMAIN, "ingest", {"wait": True}, blocking=True, return_response=True
    )
    catalog = entry.runtime_data.engine._core.catalog
    key = f"{PRIMARY}/{server.assets()[0]['recordName']}"
    await entry.runtime_data.engine._call(catalog.write(_miss, key))
    await entry.runtime_data.async_refresh()
    issue_id = f"library_difference_{entry.entry_id}"
    await wait_for_issue(hass, issue_id)
    flow = await post(begin(issue_id))
    assert flow["step_id"] == "confirm"
    flow = await post({}, flow)
    assert (flow["type"], flow["progress_action"]) == ("progress", "compare")
    flow = await look(flow)
    assert flow["step_id"] == "compared"
    shown = flow["description_placeholders"]
    assert (shown["found"], shown["left"]) == ("1", "0")
    assert (await post({}, flow))["type"] == "create_entry"
    await entry.runtime_data.async_refresh()
    assert issue(hass, entry) is None


def _miss(connection: Connection, key: str) -> None:
    """As if an asset had never been told of, and three daily looks had seen that."""
    elsewhere = {"key": f"Elsewhere/{key}", "library": "Elsewhere", "state": "gone"}
    connection.execute(update(assets).where(assets.c.key == key).values(**elsewhere))
    known = census.last(connection)[PRIMARY]
    census.keep(connection, {PRIMARY: replace(known, ours=known.ours - 1, times=3)})
