"""Adding and changing a target on a real SFTP server, and what may be wrong there."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import asyncssh
import pytest
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.media_pipeline.engine.config import SftpTargetConfig
from tests.support.asyncssh_server import AsyncsshServer
from tests.support.sftp import start_sftp_server
from tests.support.sftp_access import free_port
from tests.support.sshd import RealSshd

from .fake_engine import FakeEngine
from .target_forms import answer, begin, form_for, only_target


@pytest.fixture
async def server(tmp_path: Path, socket_enabled: None) -> AsyncIterator[RealSshd | AsyncsshServer]:
    running = await start_sftp_server(tmp_path / "nas")
    yield running
    await running.close()


@pytest.fixture
async def password_server(tmp_path: Path, socket_enabled: None) -> AsyncIterator[AsyncsshServer]:
    (tmp_path / "nas").mkdir()
    running = await AsyncsshServer(tmp_path / "nas").start()
    yield running
    await running.close()


async def test_sftp(
    hass: HomeAssistant,
    fake_entry: MockConfigEntry,
    fake_engines: list[FakeEngine],
    server: RealSshd | AsyncsshServer,
) -> None:
    result = await begin(hass, fake_entry, "sftp")
    result = await answer(hass, result, form_for(server))
    assert result["step_id"] == "host_key", result["errors"]
    shown = result["description_placeholders"]
    key = asyncssh.import_public_key(server.access.host_key)
    assert shown == {
        "host": "127.0.0.1",
        "algorithm": "ssh-ed25519",
        "fingerprint": key.get_fingerprint(),
    }
    result = await answer(hass, result, {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    subentry = only_target(fake_entry)
    assert dict(subentry.data) == {
        "kind": "sftp",
        "bandwidth": 0,
        "host_key": " ".join(server.access.host_key.split()[:2]),
        **{
            name: int(value) if isinstance(value, float) else value
            for name, value in form_for(server).items()
            if name != "name"
        },
    }
    (config,) = fake_engines[-1].config.targets
    assert isinstance(config, SftpTargetConfig)
    assert (config.port, config.parallel) == (server.access.port, 4)

    result = await begin(hass, fake_entry, "sftp")
    result = await answer(hass, result, form_for(server))
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"


async def test_sftp_refusals_then_accepted(
    hass: HomeAssistant, fake_entry: MockConfigEntry, server: RealSshd | AsyncsshServer
) -> None:
    result = await begin(hass, fake_entry, "sftp")
    result = await answer(hass, result, form_for(server, port=float(free_port())))
    assert result["errors"] == {"base": "target_unreachable"}
    result = await answer(hass, result, form_for(server, private_key="no key"))
    assert result["errors"] == {"private_key": "invalid_key"}
    other = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    wrong = form_for(server, private_key=other)
    wrong.pop("password", None)
    result = await answer(hass, result, wrong)
    result = await answer(hass, result, {})
    assert result["step_id"] == "sftp"
    assert result["errors"] == {"base": "target_auth_failed"}
    result = await answer(hass, result, form_for(server))
    assert result["step_id"] == "host_key"
    result = await answer(hass, result, {})
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_sftp_with_a_key_made_for_it(
    hass: HomeAssistant, fake_entry: MockConfigEntry, server: RealSshd | AsyncsshServer
) -> None:
    result = await begin(hass, fake_entry, "sftp")
    form = form_for(server, password=None, private_key=None)
    result = await answer(hass, result, form)
    assert result["step_id"] == "new_key"
    line = result["description_placeholders"]["public_key"]
    assert line.startswith("ssh-ed25519 ")
    assert result["description_placeholders"]["username"] == server.access.username
    result = await answer(hass, result, {})
    assert result["step_id"] == "host_key"
    result = await answer(hass, result, {})
    assert result["step_id"] == "new_key", "the same key again, the owner has not allowed it yet"
    assert result["errors"] == {"base": "target_auth_failed"}
    assert result["description_placeholders"]["public_key"] == line
    await server.stop()
    result = await answer(hass, result, {})
    assert result["errors"] == {"base": "target_unreachable"}
    await server.start()
    with patch("custom_components.media_pipeline.target_steps.probe_target"):
        result = await answer(hass, result, {})
        result = await answer(hass, result, {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert "PRIVATE KEY" in only_target(fake_entry).data["private_key"]


async def test_sftp_reconfigure_keeps_secrets_and_shows_a_changed_key(
    hass: HomeAssistant, fake_entry: MockConfigEntry, server: RealSshd | AsyncsshServer
) -> None:
    result: Any = await begin(hass, fake_entry, "sftp")
    result = await answer(hass, result, form_for(server))
    await answer(hass, result, {})
    subentry = only_target(fake_entry)
    before = dict(subentry.data)

    result = await fake_entry.start_subentry_reconfigure_flow(hass, subentry.subentry_id)
    assert result["step_id"] == "sftp"
    suggested = {
        str(key): (key.description or {}).get("suggested_value")
        for key in result["data_schema"].schema
    }
    assert suggested["host"] == "127.0.0.1"
    assert not {suggested[k] for k in ("password", "private_key", "passphrase")} - {None}
    form = form_for(server, parallel=2.0, password=None, private_key=None)
    result = await answer(hass, result, form)
    assert result["reason"] == "reconfigure_successful"
    assert dict(only_target(fake_entry).data) == before | {"parallel": 2}

    old = asyncssh.import_public_key(before["host_key"]).get_fingerprint()
    await server.stop()
    server.new_host_key()
    await server.start()
    result = await fake_entry.start_subentry_reconfigure_flow(hass, subentry.subentry_id)
    form = form_for(server, parallel=3.0, password=None, private_key=None)
    result = await answer(hass, result, form)
    assert result["step_id"] == "changed_host_key"
    shown = result["description_placeholders"]
    assert shown["old_fingerprint"] == old
    assert shown["fingerprint"] != old
    result = await answer(hass, result, {})
    assert result["reason"] == "reconfigure_successful"
    changed = only_target(fake_entry).data["host_key"]
    assert asyncssh.import_public_key(changed).get_fingerprint() == shown["fingerprint"]


async def test_sftp_with_a_password(
    hass: HomeAssistant, fake_entry: MockConfigEntry, password_server: AsyncsshServer
) -> None:
    form = form_for(password_server, private_key=None)
    assert form["password"]
    result = await begin(hass, fake_entry, "sftp")
    result = await answer(hass, result, form | {"password": "wrong"})
    result = await answer(hass, result, {})
    assert result["errors"] == {"base": "target_auth_failed"}
    result = await answer(hass, result, form)
    result = await answer(hass, result, {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert "private_key" not in only_target(fake_entry).data
