"""Signing in with pyicloud as it is."""

import time
from pathlib import Path

import pytest

from .client import StandIn
from .conftest import Pyicloud, PyicloudError


def test_code_by_sms_then_trust(pyicloud: Pyicloud, server: StandIn, tmp_path: Path) -> None:
    assert pyicloud.sign_in(server, tmp_path) == {
        "requires_2fa": True,
        "trusted": False,
        "method": "sms",
    }
    assert server.counts()["codes_sent"] == 1
    assert not pyicloud("enter_code", code="000000")
    assert pyicloud("enter_code", code=server.code)
    assert pyicloud("status")["trusted"]

    # a restart finds the session on disk
    assert not pyicloud.sign_in(server, tmp_path)["requires_2fa"]
    counts = server.counts()
    assert (counts["codes_sent"], counts["signin"], counts["validate"]) == (1, 1, 1)


def test_code_on_a_device(pyicloud: Pyicloud, server: StandIn, tmp_path: Path) -> None:
    server.control("set_account", delivery="device")
    assert pyicloud.sign_in(server, tmp_path)["requires_2fa"]
    pyicloud("by_device")
    assert pyicloud("enter_code", code=server.code)
    assert server.counts()["codes_sent"] == 0


def test_expired_code(pyicloud: Pyicloud, server: StandIn, tmp_path: Path) -> None:
    pyicloud.sign_in(server, tmp_path)
    server.control("set_account", code_expired=True)
    assert not pyicloud("enter_code", code=server.code)
    server.control("set_account", code_expired=False, code="654321")
    assert pyicloud("enter_code", code="654321")


def test_wrong_password(pyicloud: Pyicloud, server: StandIn, tmp_path: Path) -> None:
    with pytest.raises(PyicloudError) as caught:
        pyicloud.sign_in(server, tmp_path, password="not this one")
    assert caught.value.kind == "PyiCloudFailedLoginException"
    assert "email/password" in caught.value.text


def test_locked_account(pyicloud: Pyicloud, server: StandIn, tmp_path: Path) -> None:
    server.control("set_account", locked=True)
    with pytest.raises(PyicloudError) as caught:
        pyicloud.sign_in(server, tmp_path)
    newer = pyicloud.version != "2.7.0"
    assert caught.value.kind == (
        "PyiCloudAccountLockedException" if newer else "PyiCloudFailedLoginException"
    )


def test_lost_session_needs_no_code(pyicloud: Pyicloud, server: StandIn, tmp_path: Path) -> None:
    pyicloud.sign_in_fully(server, tmp_path)
    server.control("logout_all")
    with pytest.raises(PyicloudError) as caught:
        pyicloud("post", operation="zones/list", data={})
    assert caught.value.code == 421
    assert not pyicloud("again")["requires_2fa"]
    assert pyicloud("post", operation="zones/list", data={})["zones"]
    counts = server.counts()
    assert (counts["codes_sent"], counts["signin"]) == (1, 2)


def test_untrusted_browser_needs_a_code(
    pyicloud: Pyicloud, server: StandIn, tmp_path: Path
) -> None:
    pyicloud.sign_in_fully(server, tmp_path)
    server.control("untrust")
    assert pyicloud.sign_in(server, tmp_path)["requires_2fa"]
    assert server.counts()["codes_sent"] == 2


def test_new_terms(pyicloud: Pyicloud, server: StandIn, tmp_path: Path) -> None:
    server.control("new_terms")
    pyicloud.sign_in(server, tmp_path)
    with pytest.raises(PyicloudError) as caught:
        pyicloud("enter_code", code=server.code)
    assert caught.value.kind == "PyiCloudAcceptTermsException"


def test_data_protection(api: Pyicloud, server: StandIn) -> None:
    server.control("set_account", protected=True)
    with pytest.raises(PyicloudError) as caught:
        api("post", operation="zones/list", data={})
    assert caught.value.code in {403, "ACCESS_DENIED"}
    server.control("set_account", consented=True)
    assert len(api("listing")) == 130
    assert server.counts()["request_pcs"] == 1


def test_security_keys(pyicloud: Pyicloud, server: StandIn, tmp_path: Path) -> None:
    """No code is offered; 2.7.0 does not see why."""
    server.control("set_account", security_keys=True)
    newer = pyicloud.version != "2.7.0"
    assert pyicloud.sign_in(server, tmp_path) == {
        "requires_2fa": True,
        "trusted": False,
        "method": "security_key" if newer else "unknown",
    }
    assert server.counts()["codes_sent"] == 0


def test_trust_that_ends(pyicloud: Pyicloud, server: StandIn, tmp_path: Path) -> None:
    server.control("set_account", trust_days=1 / 24 / 3600)
    pyicloud.sign_in_fully(server, tmp_path)
    assert "HSA-TRUST" in next(tmp_path.glob("*.cookiejar")).read_text()
    time.sleep(1.5)
    server.control("logout_all")
    assert pyicloud.sign_in(server, tmp_path)["requires_2fa"]


def test_account_of_mainland_china(pyicloud: Pyicloud, server: StandIn, tmp_path: Path) -> None:
    """Signed in at the other side, pyicloud overlooks Apple's hint and is never trusted."""
    server.control("set_account", china=True)
    assert pyicloud.sign_in(server, tmp_path)["requires_2fa"]
    pyicloud("enter_code", code=server.code)
    assert not pyicloud("status")["trusted"]
