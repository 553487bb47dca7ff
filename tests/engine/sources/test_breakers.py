"""Circuit breakers: one question for a code until a person answers, no second wrong password.

They hold over restarts, and nothing that could tell the password lies on disk.
"""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from custom_components.media_pipeline.engine.errors import (
    AccountLocked,
    CodeExpired,
    CodeRequired,
    InvalidCode,
    InvalidCredentials,
    PipelineError,
    SourceAccessDenied,
    SourceUnreachable,
    ThrottledError,
)
from custom_components.media_pipeline.engine.sources.icloud.session import SignInState
from tests.icloud_server.client import StandIn

from .conftest import MakeSession

LIST: tuple[str, dict[str, Any]] = ("zones/list", {})


async def test_restarts_ask_for_no_new_code(make_session: MakeSession, server: StandIn) -> None:
    for _ in range(4):
        session = make_session()
        for _ in range(2):
            assert await session.sign_in() is SignInState.CODE_REQUIRED
            with pytest.raises(CodeRequired):
                await session.post(*LIST)
        assert await session.sign_in(asked=True) is SignInState.CODE_REQUIRED, "the form is opened"
        await session.keep_trusted()
        await session.close()
    counts = server.counts()
    assert (counts["codes_sent"], counts["signin"]) == (1, 1)

    session = make_session()
    await session.sign_in()
    with pytest.raises(InvalidCode):
        await session.submit_code("000000")
    await session.submit_code(server.code)  # the code that the first of them was sent
    assert session.state is SignInState.SIGNED_IN
    assert server.counts()["codes_sent"] == 1


async def test_question_that_is_too_old_is_not_asked_again(
    make_session: MakeSession, server: StandIn
) -> None:
    """Apple forgets a sign-in that nobody finished; only a person has a new code sent."""
    await make_session().sign_in()
    server.control("forget_sign_ins")
    for _ in range(2):
        session = make_session()
        assert await session.sign_in() is SignInState.CODE_REQUIRED
        with pytest.raises(CodeExpired):
            await session.submit_code(server.code)
        assert await session.sign_in() is SignInState.CODE_REQUIRED
        await session.close()
    assert server.counts()["codes_sent"] == 1

    session = make_session()
    await session.send_code()
    assert server.counts()["codes_sent"] == 2
    await session.submit_code(server.code)
    assert session.state is SignInState.SIGNED_IN


async def test_outage_while_a_code_is_sent_counts_as_asked(
    make_session: MakeSession, server: StandIn
) -> None:
    """Apple may have sent it all the same: the next attempt is a person's."""
    server.fault("send_code", drop=True)
    for _ in range(3):
        session = make_session()
        assert await session.sign_in() is SignInState.CODE_REQUIRED
        await session.close()
    assert server.counts()["send_code"] <= 2, "one attempt, that the network layer may repeat"


async def test_refused_password_is_sent_once(
    make_session: MakeSession, server: StandIn, tmp_path: Path
) -> None:
    for _ in range(3):
        session = make_session("wrong")
        for _ in range(2):
            with pytest.raises(InvalidCredentials):
                await session.sign_in()
            with pytest.raises(InvalidCredentials):
                await session.post(*LIST)
        await session.close()
    assert server.counts()["passwords_refused"] == 1

    with pytest.raises(InvalidCredentials):
        await make_session("wrong").sign_in(asked=True)
    assert server.counts()["passwords_refused"] == 2, "a person may try it once more"
    for path in (tmp_path / "session").iterdir():
        assert b"wrong" not in path.read_bytes()

    assert await make_session().sign_in() is SignInState.CODE_REQUIRED, "another password is tried"
    with pytest.raises(InvalidCredentials):
        await make_session("wrong").sign_in()
    assert server.counts()["passwords_refused"] == 3, "the last refusal was that of another"


async def test_password_changed_elsewhere(make_session: MakeSession, server: StandIn) -> None:
    """The session is lost, and the stored password is not the account's any more."""
    session = make_session()
    await session.sign_in()
    await session.submit_code(server.code)
    server.control("logout_all")
    server.control("set_account", password="changed")
    for _ in range(3):
        with pytest.raises(InvalidCredentials):
            await session.post(*LIST)
        with pytest.raises(InvalidCredentials):
            await make_session().sign_in()
    assert server.counts()["passwords_refused"] == 1
    assert await make_session("changed").sign_in() is SignInState.SIGNED_IN, "still trusted"
    assert server.counts()["codes_sent"] == 1


async def test_locked_account_is_left_alone(make_session: MakeSession, server: StandIn) -> None:
    server.control("set_account", locked=True)
    for _ in range(3):
        session = make_session()
        with pytest.raises(AccountLocked):
            await session.sign_in()
        await session.close()
    assert server.counts()["signin"] == 1
    server.control("set_account", locked=False)
    with pytest.raises(AccountLocked):
        await make_session().sign_in()
    assert await make_session().sign_in(asked=True) is SignInState.CODE_REQUIRED


@pytest.mark.parametrize(
    "fault",
    [{"status": 503, "headers": {"Retry-After": "1"}}, {"status": 500}, {"drop": True}],
)
async def test_outage_is_no_refusal(
    make_session: MakeSession, server: StandIn, fault: dict[str, Any]
) -> None:
    server.fault("signin", **fault)
    session = make_session()
    with pytest.raises(PipelineError) as caught:
        await session.sign_in()
    assert not isinstance(caught.value, InvalidCredentials)
    server.control("clear_faults")
    await asyncio.sleep(1.1 if "headers" in fault else 0)
    with contextlib.suppress(ThrottledError):  # after "slow down" we wait, unless a person asks
        await session.sign_in()
    assert await session.sign_in(asked=True) is SignInState.CODE_REQUIRED


async def test_outage_at_the_code_asks_for_no_other(
    make_session: MakeSession, server: StandIn
) -> None:
    await make_session().sign_in()
    server.fault("verify_code", drop=True)
    for _ in range(2):
        session = make_session()
        with pytest.raises(SourceUnreachable):
            await session.submit_code(server.code)
        await session.sign_in()
        await session.close()
    server.control("clear_faults")
    session = make_session()
    await session.submit_code(server.code)
    assert session.state is SignInState.SIGNED_IN
    assert server.counts()["codes_sent"] == 1


async def test_denied_without_a_reason_is_no_refused_password(
    make_session: MakeSession, server: StandIn
) -> None:
    """The account's service denies for a moment: asked once more, and no password is blamed."""
    session = make_session()
    await session.sign_in()
    await session.submit_code(server.code)
    await session.close()
    server.control("logout_all")
    # the stored token, then the one that the password gave
    server.fault("account_login", status=403, json={}, times=2)
    server.control("reset_counts")
    session = make_session()
    assert await session.sign_in() is SignInState.SIGNED_IN
    counts = server.counts()
    assert (counts["account_login"], counts["signin"], counts["codes_sent"]) == (3, 1, 1)
    await session.close()

    server.control("logout_all")
    server.fault("account_login", status=403, json={})
    session = make_session()
    for _ in range(2):
        with pytest.raises(SourceAccessDenied):
            await session.sign_in()
    server.control("clear_faults")
    assert await session.sign_in() is SignInState.SIGNED_IN, "nobody has to act"
    assert server.counts()["codes_sent"] == 1, "the one at the beginning"
