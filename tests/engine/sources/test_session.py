"""Signing in: as few codes as possible, and the right error for everything that goes wrong."""

import asyncio
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from custom_components.media_pipeline.engine.errors import (
    AccountLocked,
    CodeExpired,
    CodeRequired,
    ConsentRequired,
    EngineStopped,
    InvalidCode,
    InvalidCredentials,
    SourceAccessDenied,
    SourceUnreachable,
    TermsRequired,
    ThrottledError,
)
from custom_components.media_pipeline.engine.sources.icloud.session import SignInState
from tests.icloud_server.client import StandIn

from .conftest import MakeSession

SENT = "codes_sent"
LIST: tuple[str, dict[str, Any]] = ("zones/list", {})


async def signed_in(make_session: MakeSession, server: StandIn) -> None:
    session = make_session()
    if await session.sign_in() is SignInState.CODE_REQUIRED:
        await session.submit_code(server.code)
    await session.close()


async def test_code_once_then_never_again(
    make_session: MakeSession, server: StandIn, tmp_path: Path
) -> None:
    session = make_session()
    assert session.state == "signed_out"
    assert await session.sign_in() is SignInState.CODE_REQUIRED
    assert server.counts()[SENT] == 1
    await session.submit_code(" 123-456 ")
    assert str(session.state) == "signed_in"
    folder = tmp_path / "session"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    await session.close()

    again = make_session()
    server.control("reset_counts")
    assert await again.sign_in() is SignInState.SIGNED_IN
    await again.sign_in()
    await again.send_code()
    await again.submit_code("000000")
    counts = server.counts()
    assert (counts["requests"], counts["validate"]) == (1, 1)


async def test_wrong_code(make_session: MakeSession, server: StandIn) -> None:
    session = make_session()
    with pytest.raises(CodeRequired):
        await session.submit_code("123456")
    await session.sign_in()
    for code in ("000000", "", "no"):
        with pytest.raises(InvalidCode):
            await session.submit_code(code)
    server.control("set_account", code_expired=True)
    with pytest.raises(CodeExpired):
        await session.submit_code(server.code)
    server.control("set_account", code_expired=False)
    await session.submit_code(server.code)
    assert session.state is SignInState.SIGNED_IN
    assert server.counts()[SENT] == 1


async def test_outage_is_no_wrong_code(make_session: MakeSession, server: StandIn) -> None:
    session = make_session()
    await session.sign_in()
    server.fault("verify_code", drop=True, times=2)  # requests repeats nothing by itself
    with pytest.raises(SourceUnreachable):
        await session.submit_code(server.code)
    server.control("clear_faults")
    server.fault("verify_code", status=503, headers={"Retry-After": "77"}, times=1)
    with pytest.raises(ThrottledError) as caught:
        await session.submit_code(server.code)
    assert caught.value.retry_after == 77
    await session.submit_code(server.code)


async def test_code_accepted_with_a_conflict(make_session: MakeSession, server: StandIn) -> None:
    """Some accounts get 409 for a good code; then the session is trusted all the same."""
    session = make_session()
    await session.sign_in()
    answer = {"authenticationType": "hsa2", "securityCode": {"valid": True}}
    server.fault("verify_code", status=409, json=answer)
    with pytest.raises((SourceUnreachable, InvalidCredentials)):
        await session.submit_code(server.code)  # the stand-in itself has not accepted it
    assert server.counts()["trust"] >= 1


async def test_person_asks_for_a_code(make_session: MakeSession, server: StandIn) -> None:
    session = make_session()
    await session.sign_in()
    await session.send_code()
    await session.send_code(sms=True)
    assert server.counts()[SENT] == 3
    assert server.counts()["signin"] == 1
    await session.close()
    restarted = make_session()
    assert await restarted.sign_in() is SignInState.CODE_REQUIRED
    await restarted.send_code(sms=True)  # the old challenge is gone with its process
    assert server.counts()[SENT] == 4
    await restarted.submit_code(server.code)
    assert restarted.state is SignInState.SIGNED_IN


async def test_new_password_is_tried_despite_an_open_challenge(
    make_session: MakeSession, server: StandIn
) -> None:
    await make_session().sign_in()
    with pytest.raises(InvalidCredentials):
        await make_session("another").sign_in()
    server.control("set_account", password="another")
    assert await make_session("another").sign_in(asked=True) is SignInState.CODE_REQUIRED


@pytest.mark.parametrize(
    ("setting", "error"),
    [({"locked": True}, AccountLocked), ({"password": "changed"}, InvalidCredentials)],
)
async def test_refusals(
    make_session: MakeSession, server: StandIn, setting: dict[str, Any], error: type[Exception]
) -> None:
    server.control("set_account", **setting)
    with pytest.raises(error):
        await make_session().sign_in()
    assert server.counts().get(SENT, 0) == 0


async def test_terms(make_session: MakeSession, server: StandIn) -> None:
    await signed_in(make_session, server)
    server.control("new_terms")
    server.control("logout_all")
    with pytest.raises(TermsRequired):
        await make_session().sign_in()


@pytest.mark.parametrize("operation", ["authorize", "signin_init", "signin"])
async def test_outages_while_signing_in(
    make_session: MakeSession, server: StandIn, tmp_path: Path, operation: str
) -> None:
    server.fault(operation, status=503, headers={"Retry-After": "33"}, times=1)
    with pytest.raises(ThrottledError) as caught:
        await make_session().sign_in()
    assert caught.value.retry_after == 33
    server.control("clear_faults")
    with pytest.raises(ThrottledError):  # nothing is asked before that time, by nobody
        await make_session().sign_in()
    server.fault(operation, drop=True)
    with pytest.raises(SourceUnreachable):
        await make_session(folder=tmp_path / "another").sign_in()
    assert server.counts().get(SENT, 0) == 0


@pytest.mark.parametrize(
    "fault",
    [{"status": 500}, {"status": 503, "headers": {"Retry-After": "1"}}, {"drop": True}],
)
async def test_outage_does_not_end_a_session(
    make_session: MakeSession, server: StandIn, fault: dict[str, Any]
) -> None:
    await signed_in(make_session, server)
    server.control("reset_counts")
    server.fault("validate", **fault)
    session = make_session()
    with pytest.raises((SourceUnreachable, ThrottledError)):
        await session.sign_in()
    assert "account_login" not in server.counts()
    server.control("clear_faults")
    await asyncio.sleep(1.1 if "headers" in fault else 0)
    assert await session.sign_in() is SignInState.SIGNED_IN


async def test_nobody_there(make_session: MakeSession, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(SourceUnreachable):
        await make_session().sign_in()


async def test_session_lost_on_the_way(make_session: MakeSession, server: StandIn) -> None:
    await signed_in(make_session, server)
    session = make_session()
    await session.post(*LIST)
    server.control("logout_all")
    server.control("reset_counts")
    assert (await session.post(*LIST))["zones"]
    counts = server.counts()
    assert (counts["zones_list"], counts[SENT]) == (2, 1)
    server.control("untrust")
    for _ in range(3):
        with pytest.raises(CodeRequired):
            await session.post(*LIST)
    assert session.state is SignInState.CODE_REQUIRED
    assert server.counts()[SENT] == 2
    await session.submit_code(server.code)
    assert (await session.post(*LIST))["zones"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": 450, "json": {}}, None),
        ({"status": 421, "json": {}}, None),
        ({"status": 500}, SourceUnreachable),
        ({"status": 403, "json": {"serverErrorCode": "ACCESS_DENIED"}}, SourceAccessDenied),
        ({"json": {"serverErrorCode": "ACCESS_DENIED"}}, SourceAccessDenied),
        ({"drop": True}, SourceUnreachable),
    ],
)
async def test_answers_to_requests(
    make_session: MakeSession,
    server: StandIn,
    fault: dict[str, Any],
    error: type[Exception] | None,
) -> None:
    await signed_in(make_session, server)
    session = make_session()
    await session.post(*LIST)
    if error is None:
        server.fault("zones_list", times=1, **fault)
        assert (await session.post(*LIST))["zones"]
    else:
        server.fault("zones_list", **fault)
        with pytest.raises(error):
            await session.post(*LIST)
        server.control("clear_faults")
        assert (await session.post(*LIST))["zones"]
    assert server.counts()[SENT] == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503, "headers": {"Retry-After": "21"}},
        {"status": 429, "headers": {"Retry-After": "21"}},
        {"status": 429, "json": {"serverErrorCode": "THROTTLED", "retryAfter": 21}},
        {"status": 503, "json": {"serverErrorCode": "TRY_AGAIN_LATER", "retryAfter": 21}},
        {"json": {"serverErrorCode": "TRY_AGAIN_LATER", "reason": "wait", "retryAfter": 21}},
    ],
)
async def test_throttled(make_session: MakeSession, server: StandIn, fault: dict[str, Any]) -> None:
    await signed_in(make_session, server)
    session = make_session()
    server.fault("zones_list", **fault)
    with pytest.raises(ThrottledError) as caught:
        await session.post(*LIST)
    assert caught.value.retry_after == 21


async def test_torn_files_are_put_back(
    make_session: MakeSession, server: StandIn, tmp_path: Path
) -> None:
    await signed_in(make_session, server)
    for torn in (b"", b'{"session_tok', b"\0" * 500):
        for path in (tmp_path / "session").iterdir():
            if path.suffix in {".session", ".cookiejar"}:
                path.write_bytes(torn)
        session = make_session()
        assert await session.sign_in() is SignInState.SIGNED_IN
        await session.close()
    assert server.counts()[SENT] == 1


async def test_lost_cookies_need_no_code(
    make_session: MakeSession, server: StandIn, tmp_path: Path
) -> None:
    await signed_in(make_session, server)
    for path in (tmp_path / "session").iterdir():
        if ".cookiejar" in path.name:
            path.unlink()
    assert await make_session().sign_in() is SignInState.SIGNED_IN
    assert server.counts()[SENT] == 1


async def test_data_protection(make_session: MakeSession, server: StandIn) -> None:
    await signed_in(make_session, server)
    server.control("set_account", protected=True)
    for _ in range(3):
        session = make_session()
        started = time.monotonic()
        with pytest.raises(ConsentRequired):
            await session.libraries()
        assert time.monotonic() - started < 5
        await session.close()
    assert server.counts()["consents_asked"] == 1
    server.control("set_account", consented=True)
    session = make_session()
    assert await session.libraries()
    server.control("set_account", consented=False)  # the keys run out
    with pytest.raises(ConsentRequired):
        await session.libraries()
    server.control("set_account", consented=True)
    assert await session.libraries()


async def test_libraries_and_usage(make_session: MakeSession, server: StandIn) -> None:
    await signed_in(make_session, server)
    session = make_session()
    primary, shared = await session.libraries()
    assert (primary.key, primary.shared) == ("PrimarySync", False)
    assert shared.key.startswith("SharedSync-")
    assert shared.shared
    usage = await session.usage()
    assert usage is not None
    assert 0 < usage.used < usage.total == 200_000_000_000
    server.fault("storage", json={"storageUsageInfo": {"usedStorageInBytes": "much"}})
    assert await session.usage() is None


async def test_from_any_loop_and_after_the_end(make_session: MakeSession, server: StandIn) -> None:
    await signed_in(make_session, server)
    session = make_session()
    await session.sign_in()
    answers = await asyncio.gather(
        session.post(*LIST),
        asyncio.to_thread(asyncio.run, session.post(*LIST)),
        asyncio.to_thread(asyncio.run, session.libraries()),
    )
    assert answers[0]["zones"] == answers[1]["zones"]
    await session.close()
    await session.close()
    with pytest.raises(EngineStopped):
        await session.sign_in()


async def test_nothing_hangs(
    make_session: MakeSession, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    await signed_in(make_session, server)
    session = make_session()
    await session.sign_in()
    from custom_components.media_pipeline.engine.sources.icloud import service

    monkeypatch.setattr(service, "_TIMEOUT", (1.0, 0.3))
    server.fault("zones_list", latency_ms=2000)
    with pytest.raises(SourceUnreachable):
        await session.post(*LIST)
