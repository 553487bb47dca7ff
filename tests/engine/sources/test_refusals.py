"""What Apple may say at a sign-in, each with its own error."""

from pathlib import Path
from typing import Any

import pytest

from custom_components.media_pipeline.engine.errors import (
    InvalidCode,
    SecurityKeyRequired,
    SourceAccessDenied,
    TermsRequired,
    TooManyCodes,
    WebAccessOff,
    WrongRegion,
)
from custom_components.media_pipeline.engine.sources.icloud.session import SignInState
from tests.icloud_server.client import StandIn

from .conftest import MakeSession

LIST: tuple[str, dict[str, Any]] = ("zones/list", {})


async def test_security_key(make_session: MakeSession, server: StandIn) -> None:
    """No code is asked for, and Apple is not bothered again until a person wants it."""
    server.control("set_account", security_keys=True)
    for _ in range(3):
        session = make_session()
        with pytest.raises(SecurityKeyRequired):
            await session.sign_in()
        with pytest.raises(SecurityKeyRequired):
            await session.post(*LIST)
        await session.close()
    counts = server.counts()
    assert (counts["codes_sent"], counts["signin"]) == (0, 1)
    session = make_session()
    with pytest.raises(SecurityKeyRequired):
        await session.sign_in(asked=True)
    with pytest.raises(SecurityKeyRequired):
        await session.send_code(sms=True)
    server.control("set_account", security_keys=False)  # the owner removed them
    assert await session.sign_in(asked=True) is SignInState.CODE_REQUIRED
    await session.submit_code(server.code)


async def test_device_that_shows_codes_when_asked(
    make_session: MakeSession, server: StandIn
) -> None:
    """Without phone numbers and without the push channel, devices are asked to show a code."""
    server.control("set_account", delivery="device")
    session = make_session()
    assert await session.sign_in() is SignInState.CODE_REQUIRED
    assert server.counts()["codes_sent"] == 1
    await session.close()
    session = make_session()  # after a restart the code is still taken
    assert await session.sign_in() is SignInState.CODE_REQUIRED
    await session.submit_code(server.code)
    assert session.state is SignInState.SIGNED_IN
    assert server.counts()["codes_sent"] == 1


async def test_too_many_codes(make_session: MakeSession, server: StandIn) -> None:
    session = make_session()
    await session.sign_in()
    server.control("set_account", codes_locked=True)
    with pytest.raises(TooManyCodes):
        await session.submit_code(server.code)
    with pytest.raises(TooManyCodes):
        await session.send_code(sms=True)
    server.control("set_account", codes_locked=False)
    await session.submit_code(server.code)


@pytest.mark.parametrize("code", ["12345", "1234567", "abcdef", "", "\u0661\u0662\u0663"])
async def test_what_is_no_code_is_not_sent(
    make_session: MakeSession, server: StandIn, code: str
) -> None:
    session = make_session()
    await session.sign_in()
    with pytest.raises(InvalidCode):
        await session.submit_code(code)
    assert "verify_code" not in server.counts()


async def test_mainland_china(make_session: MakeSession, server: StandIn) -> None:
    server.control("set_account", china=True)
    session = make_session(china=True)
    assert await session.sign_in() is SignInState.CODE_REQUIRED
    await session.submit_code(server.code)
    primary, *_ = await session.libraries()
    assert primary.key == "PrimarySync"
    assert await session.usage()
    await session.close()
    assert await make_session(china=True).sign_in() is SignInState.SIGNED_IN


@pytest.mark.parametrize("china", [True, False])
async def test_account_of_the_other_region(
    make_session: MakeSession, server: StandIn, china: bool
) -> None:
    """Apple says so after the code; in the right region the code need not be entered again."""
    server.control("set_account", china=china)
    session = make_session(china=not china)
    assert await session.sign_in() is SignInState.CODE_REQUIRED
    with pytest.raises(WrongRegion):
        await session.submit_code(server.code)
    with pytest.raises(WrongRegion):
        await session.sign_in()
    await session.close()
    session = make_session(china=china)
    assert await session.sign_in() is SignInState.SIGNED_IN
    assert await session.libraries()
    assert server.counts()["codes_sent"] == 1


async def test_account_that_moved(make_session: MakeSession, server: StandIn) -> None:
    """The jar then holds cookies of both regions."""
    session = make_session()
    await session.sign_in()
    await session.submit_code(server.code)
    server.control("set_account", china=True)
    server.control("logout_all")
    with pytest.raises(WrongRegion):
        await session.post(*LIST)
    await session.close()
    for _ in range(2):
        session = make_session(china=True)
        assert await session.sign_in() is SignInState.SIGNED_IN
        assert await session.libraries()
        await session.close()
    assert server.counts()["codes_sent"] == 1


async def test_terms_after_the_code(
    make_session: MakeSession, server: StandIn, tmp_path: Path
) -> None:
    server.control("new_terms")
    session = make_session()
    await session.sign_in()
    with pytest.raises(TermsRequired):
        await session.submit_code(server.code)
    with pytest.raises(TermsRequired):
        await session.sign_in(asked=True)
    server.control("accept_terms")
    assert await session.sign_in(asked=True) is SignInState.SIGNED_IN
    assert await session.libraries()
    assert server.counts()["codes_sent"] == 1


async def test_web_access(make_session: MakeSession, server: StandIn) -> None:
    session = make_session()
    await session.sign_in()
    await session.submit_code(server.code)
    assert await session.libraries()
    server.control("set_account", web_access=False)
    with pytest.raises(WebAccessOff):
        await session.post(*LIST)
    server.control("set_account", web_access=True)
    assert await session.libraries()
    server.fault("zones_list", status=403, json={"serverErrorCode": "ACCESS_DENIED"})
    with pytest.raises(SourceAccessDenied) as caught:
        await session.post(*LIST)
    assert not isinstance(caught.value, WebAccessOff), "Apple does not say why"
