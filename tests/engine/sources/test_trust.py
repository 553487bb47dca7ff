"""The trust that saves codes: when it ends, and renewing it in time."""

import time
from pathlib import Path
from typing import Any

import pytest

from custom_components.media_pipeline.engine.errors import CodeRequired, ThrottledError
from custom_components.media_pipeline.engine.sources.icloud.session import (
    ICloudSession,
    SignInState,
)
from tests.icloud_server.client import StandIn

from .conftest import MakeSession

DAY = 24 * 3600


def days_left(session: ICloudSession) -> float:
    assert session.trust_ends is not None
    return (session.trust_ends / 1000 - time.time()) / DAY


async def signed_in(make_session: MakeSession, server: StandIn, **settings: Any) -> ICloudSession:
    server.control("set_account", **settings)
    session = make_session()
    if await session.sign_in() is SignInState.CODE_REQUIRED:
        await session.submit_code(server.code)
    return session


@pytest.mark.parametrize("china", [False, True])
async def test_the_end_is_what_apple_says(
    make_session: MakeSession, server: StandIn, china: bool
) -> None:
    server.control("set_account", trust_days=60, china=china)
    session = make_session(china=china)
    assert session.trust_ends is None
    await session.sign_in()
    assert session.trust_ends is None
    await session.submit_code(server.code)
    assert days_left(session) == pytest.approx(60, abs=0.01)
    await session.close()

    again = make_session(china=china)
    await again.sign_in()
    assert days_left(again) == pytest.approx(60, abs=0.01), "read from the session's files"


async def test_renewed_every_week(
    make_session: MakeSession, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await signed_in(make_session, server)
    asked = server.counts()["trust"]
    await session.keep_trusted()
    await make_session().sign_in()
    assert server.counts()["trust"] == asked, "not due yet"
    now = time.time()
    before = session.trust_ends
    assert before is not None
    monkeypatch.setattr(time, "time", lambda: now + 8 * DAY)
    server.control("set_account", trust_days=120)
    await session.keep_trusted()  # in a session that lives on, as well as at a start
    assert server.counts()["trust"] == asked + 1
    assert session.trust_ends is not None
    assert session.trust_ends > before + 29 * DAY * 1000
    monkeypatch.setattr(time, "time", lambda: now + 16 * DAY)
    await make_session().sign_in()
    assert server.counts()["trust"] == asked + 2
    assert server.counts()["codes_sent"] == 1


async def test_renewed_when_the_end_is_near(make_session: MakeSession, server: StandIn) -> None:
    session = await signed_in(make_session, server, trust_days=5)
    server.control("set_account", trust_days=90)
    await session.keep_trusted()
    assert days_left(session) == pytest.approx(90, abs=0.01)


async def test_outage_is_tried_again_a_day_later(
    make_session: MakeSession, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await signed_in(make_session, server, trust_days=5)
    asked = server.counts()["trust"]
    server.fault("trust", status=503)
    for _ in range(3):
        await session.keep_trusted()
    assert session.state is SignInState.SIGNED_IN
    assert server.counts()["trust"] == asked + 1
    assert await session.libraries(), "the session goes on"
    with pytest.raises(ThrottledError):
        await session.keep_trusted(asked=True)
    server.control("clear_faults")
    server.control("set_account", trust_days=90)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 1.1 * DAY)
    await session.keep_trusted()
    assert days_left(session) > 80


async def test_clock_that_ran_ahead_once_stops_nothing(
    make_session: MakeSession, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    with monkeypatch.context() as ahead:
        ahead.setattr(time, "time", lambda: now + 4000 * DAY)
        session = await signed_in(make_session, server)
        await session.keep_trusted(asked=True)
    asked = server.counts()["trust"]
    await session.keep_trusted()
    assert server.counts()["trust"] == asked + 1


@pytest.mark.parametrize("status", [401, 403, 409, 421, 450])
async def test_renewed_after_the_sign_in_is_forgotten(
    make_session: MakeSession, server: StandIn, status: int
) -> None:
    """Apple's sign-in host knows a sign-in for minutes; the trust still saves the code."""
    session = await signed_in(make_session, server, trust_days=5)
    server.control("forget_sign_ins")
    server.fault("trust", status=status, json={}, times=1)
    server.control("set_account", trust_days=90)
    signed = server.counts()["signin"]
    await session.keep_trusted()
    assert days_left(session) == pytest.approx(90, abs=0.01)
    assert server.counts()["signin"] == signed + 1
    assert server.counts()["codes_sent"] == 1
    assert await session.libraries()
    assert await make_session().sign_in() is SignInState.SIGNED_IN


async def test_never_asks_for_a_code_by_itself(
    make_session: MakeSession, server: StandIn, tmp_path: Path
) -> None:
    """Apple ended the trust, but the session still works: it is left as it is."""
    session = await signed_in(make_session, server, trust_days=5)
    server.control("forget_sign_ins")
    server.control("end_trust")
    kept = {p.name: p.read_bytes() for p in (tmp_path / "session").glob("*.session")}
    await session.keep_trusted()
    assert session.state is SignInState.SIGNED_IN
    assert server.counts()["codes_sent"] == 1
    assert await session.libraries()
    assert {p.name: p.read_bytes() for p in (tmp_path / "session").glob("*.session")} == kept

    with pytest.raises(CodeRequired):
        await session.keep_trusted(asked=True)  # a person wants it
    assert server.counts()["codes_sent"] == 2
    await session.submit_code(server.code)
    assert await session.libraries()


async def test_trust_that_ended_wants_one_code(make_session: MakeSession, server: StandIn) -> None:
    session = await signed_in(make_session, server, trust_days=1 / DAY)
    await session.close()
    time.sleep(1.2)
    server.control("logout_all")
    for _ in range(3):
        again = make_session()
        assert await again.sign_in() is SignInState.CODE_REQUIRED
        assert again.trust_ends is None
        await again.close()
    assert server.counts()["codes_sent"] == 2
