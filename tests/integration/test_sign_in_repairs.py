"""Repairs of a sign-in with the real engine: before it ends, consent, region, and no storms."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.media_pipeline import consent
from custom_components.media_pipeline.const import DOMAIN
from tests.icloud_server.client import StandIn

from .conftest import Places
from .fake_engine import FakeEngine
from .test_repairs import Post, begin, post, show  # noqa: F401 a fixture
from .test_signing_in_again import answer, reauth_flow, set_up, until

type Start = Callable[..., StandIn]
SIGNED_IN = "binary_sensor.icloud_photos_signed_in"
EXPIRES = "sensor.icloud_photos_sign_in_expires"


def trust_issue(hass: HomeAssistant, entry: MockConfigEntry) -> ir.IssueEntry | None:
    return ir.async_get(hass).async_get_issue(DOMAIN, f"trust_ending_{entry.entry_id}")


async def signed_in(hass: HomeAssistant, places: Places, server: StandIn) -> MockConfigEntry:
    entry = await set_up(hass, places)
    await reauth_flow(hass)
    await hass.services.async_call(
        DOMAIN, "submit_verification_code", {"code": server.code}, blocking=True
    )
    await until(hass, SIGNED_IN, "on")
    return entry


async def wait_for_issue(hass: HomeAssistant, issue_id: str) -> None:
    for _ in range(200):
        await hass.async_block_till_done()
        if ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is not None:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"no repair {issue_id}")


def days_left(hass: HomeAssistant) -> float:
    state = hass.states.get(EXPIRES)
    assert state is not None
    ends = dt_util.parse_datetime(state.state)
    assert ends is not None
    return (ends - dt_util.utcnow()) / timedelta(days=1)


async def test_seven_three_one(
    hass: HomeAssistant, fake_entry: MockConfigEntry, fake_engines: list[FakeEngine]
) -> None:
    async def left(days: float, **changes: Any) -> ir.IssueEntry | None:
        ends = dt_util.utcnow() + timedelta(days=days)
        await show(hass, fake_engines[0], trust_ends=int(ends.timestamp() * 1000), **changes)
        return trust_issue(hass, fake_entry)

    assert await left(30) is None
    assert await left(7.1) is None
    for days, told, severity in (
        (6.9, "7", ir.IssueSeverity.WARNING),
        (3.1, "7", ir.IssueSeverity.WARNING),
        (2.9, "3", ir.IssueSeverity.WARNING),
        (0.9, "1", ir.IssueSeverity.ERROR),
    ):
        issue = await left(days)
        assert issue is not None
        assert issue.translation_placeholders is not None
        assert issue.translation_placeholders["days"] == told
        assert issue.severity is severity
        assert issue.is_fixable
    assert await left(0.9, authenticated=False) is None, "signing in again is asked for instead"
    assert await left(0.9) is not None
    assert await left(60) is None, "renewed"


async def test_more_serious_one_returns_after_it_was_ignored(
    hass: HomeAssistant, places: Places, stand_in: Start
) -> None:
    def ignored() -> bool:
        issue = trust_issue(hass, entry)
        assert issue is not None
        return issue.dismissed_version is not None

    server = stand_in()
    server.control("set_account", trust_days=6)
    entry = await signed_in(hass, places, server)
    await wait_for_issue(hass, f"trust_ending_{entry.entry_id}")
    ir.async_ignore_issue(hass, DOMAIN, f"trust_ending_{entry.entry_id}", True)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, SIGNED_IN, "on")
    assert ignored(), "a reload brings nothing back"
    session = entry.runtime_data.engine.icloud_session
    server.control("set_account", trust_days=2)
    await session.keep_trusted(asked=True)
    await entry.runtime_data.async_refresh()
    assert days_left(hass) < 2
    assert not ignored()


async def test_renewed_from_the_repair(
    hass: HomeAssistant,
    places: Places,
    stand_in: Start,
    post: Post,  # noqa: F811
) -> None:
    server = stand_in()
    server.control("set_account", trust_days=2.5)
    entry = await signed_in(hass, places, server)
    assert days_left(hass) == pytest.approx(2.5, abs=0.01)
    await wait_for_issue(hass, f"trust_ending_{entry.entry_id}")
    flow = await post(begin(f"trust_ending_{entry.entry_id}"))
    assert flow["description_placeholders"]["days"] == "3"
    server.fault("trust", drop=True)
    flow = await post({}, flow)
    assert flow["errors"] == {"base": "still_there"}
    server.control("clear_faults")
    server.control("set_account", trust_days=60)
    flow = await post({}, flow)
    assert flow["type"] == "create_entry"
    assert trust_issue(hass, entry) is None
    assert days_left(hass) == pytest.approx(60, abs=0.01)
    assert server.counts()["codes_sent"] == 1, "without a code"


@pytest.mark.parametrize("is_asked_already", [False, True])
async def test_renewed_with_a_code(
    hass: HomeAssistant,
    places: Places,
    stand_in: Start,
    post: Post,  # noqa: F811
    is_asked_already: bool,
) -> None:
    """Apple does not renew the trust without one: the repair leads to the form for it."""
    server = stand_in()
    server.control("set_account", trust_days=0.5)
    entry = await signed_in(hass, places, server)
    await wait_for_issue(hass, f"trust_ending_{entry.entry_id}")
    server.control("forget_sign_ins")
    server.control("end_trust")
    server.control("set_account", trust_days=60)
    flow = await post(begin(f"trust_ending_{entry.entry_id}"))
    if is_asked_already:
        entry.async_start_reauth(hass)
        await hass.async_block_till_done()
    flow = await post({}, flow)
    assert flow["type"] == "create_entry"
    kind, flow_id = flow["next_flow"]
    assert kind == "config_flow"
    flows = entry.async_get_active_flows(hass, {SOURCE_REAUTH})
    assert [one["flow_id"] for one in flows] == [flow_id], "one form for it"
    result = hass.config_entries.flow.async_get(flow_id)
    assert result["context"]["source"] == SOURCE_REAUTH
    if is_asked_already:
        assert result["step_id"] == "reauth_confirm"
        result = await answer(hass, result, {})
    assert result["step_id"] == "code"
    assert server.counts()["codes_sent"] == 2
    result = await answer(hass, result, {"code": server.code})
    assert result["reason"] == "reauth_successful"
    await until(hass, SIGNED_IN, "on")
    await hass.async_block_till_done()
    assert trust_issue(hass, entry) is None
    assert days_left(hass) == pytest.approx(60, abs=0.01)


async def test_consent(
    hass: HomeAssistant,
    places: Places,
    stand_in: Start,
    post: Post,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consent, "_PAUSE", 0.05)
    monkeypatch.setattr(consent, "PATIENCE", 0.0)
    server = stand_in()
    entry = await signed_in(hass, places, server)
    server.control("set_account", protected=True, consented=False)
    for _ in range(2):
        await hass.services.async_call(
            DOMAIN, "run", {"wait": True}, blocking=True, return_response=True
        )
    issue_id = f"consent_required_{entry.entry_id}"
    await wait_for_issue(hass, issue_id)
    assert server.counts()["consents_asked"] == 1, "runs do not repeat the request"
    flow = await post(begin(issue_id))
    flow = await post({}, flow)
    assert (flow["type"], flow["progress_action"]) == ("progress", "approve")
    await hass.async_block_till_done()
    flow = await post({}, flow)
    assert flow["errors"] == {"base": "still_there"}
    assert server.counts()["consents_asked"] == 2, "a person had it sent again"

    monkeypatch.setattr(consent, "PATIENCE", 20.0)

    def approve() -> None:
        server.control("set_account", consented=True)

    hass.loop.call_later(0.5, approve)  # while the form waits
    flow = await post({}, flow)
    assert flow["type"] == "progress"
    flow = await post({}, flow)
    assert flow["type"] == "create_entry"
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is None
    await hass.async_block_till_done()
    await until(hass, SIGNED_IN, "on")


async def test_account_moved_to_another_region(
    hass: HomeAssistant,
    places: Places,
    stand_in: Start,
    post: Post,  # noqa: F811
) -> None:
    server = stand_in()
    entry = await signed_in(hass, places, server)
    server.control("set_account", china=True)
    server.control("logout_all")
    result = await hass.services.async_call(
        DOMAIN, "run", {"wait": True}, blocking=True, return_response=True
    )
    assert result is not None
    assert result["error"] == "wrong_region"
    await wait_for_issue(hass, f"wrong_region_{entry.entry_id}")
    flow = await post(begin(f"wrong_region_{entry.entry_id}"))
    flow = await post({}, flow)
    assert flow["type"] == "create_entry"
    await hass.async_block_till_done()
    assert entry.data["china"] is True
    assert entry.state is ConfigEntryState.LOADED
    await until(hass, SIGNED_IN, "on")
    assert server.counts()["codes_sent"] == 1


async def test_no_storm_over_restarts(hass: HomeAssistant, places: Places, stand_in: Start) -> None:
    """However often Home Assistant starts and forms are opened: one question, one notification."""
    server = stand_in()
    entry = await set_up(hass, places)
    for _ in range(3):
        flow = await reauth_flow(hass)
        assert flow["step_id"] == "code"
        await hass.services.async_call(
            DOMAIN, "run", {"wait": True}, blocking=True, return_response=True
        )
        result = await answer(hass, flow, {"code": "000000"})
        assert result["errors"] == {"code": "invalid_code"}
        hass.config_entries.flow.async_abort(flow["flow_id"])
        result = await entry.start_reauth_flow(hass)
        assert result["step_id"] == "code"
        hass.config_entries.flow.async_abort(result["flow_id"])
        assert await hass.config_entries.async_reload(entry.entry_id)
    counts = server.counts()
    assert (counts["codes_sent"], counts["signin"]) == (1, 1)
    flow = await reauth_flow(hass)
    result = await answer(hass, flow, {"code": server.code})
    assert result["reason"] == "reauth_successful"


async def test_refused_password_over_restarts(
    hass: HomeAssistant, places: Places, stand_in: Start
) -> None:
    server = stand_in()
    entry = await set_up(hass, places, password="old")
    for _ in range(3):
        flow = await reauth_flow(hass)
        assert flow["step_id"] == "reauth_confirm"
        hass.config_entries.flow.async_abort(flow["flow_id"])
        assert await hass.config_entries.async_reload(entry.entry_id)
    assert server.counts()["passwords_refused"] == 1
    flow = await reauth_flow(hass)
    result = await answer(hass, flow, {})
    assert result["errors"] == {"password": "invalid_credentials"}
    assert server.counts()["passwords_refused"] == 2, "its owner wanted the stored one tried again"


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ({"locked": True}, "account_locked"),
        ({"security_keys": True}, "security_key_required"),
        ({"web_access": False}, "web_access_off"),
    ],
)
async def test_owner_puts_it_right(
    hass: HomeAssistant,
    places: Places,
    stand_in: Start,
    post: Post,  # noqa: F811
    setting: dict[str, bool],
    problem: str,
) -> None:
    server = stand_in()
    entry = await signed_in(hass, places, server)
    if problem != "web_access_off":
        server.control("untrust")
    server.control("set_account", **setting)
    result = await hass.services.async_call(
        DOMAIN, "run", {"wait": True}, blocking=True, return_response=True
    )
    assert result is not None
    assert result["error"] == problem
    issue_id = f"{problem}_{entry.entry_id}"
    await wait_for_issue(hass, issue_id)
    flow = await post(begin(issue_id))
    flow = await post({}, flow)
    assert flow["errors"] == {"base": "still_there"}
    server.control("set_account", **{name: not value for name, value in setting.items()})
    flow = await post({}, flow)
    assert flow["type"] == "create_entry"
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is None
    if problem != "web_access_off":
        flow = await reauth_flow(hass)
        assert flow["step_id"] == "code"
