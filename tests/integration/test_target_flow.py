"""Adding and changing targets: real folders, a real SFTP server, and what may be wrong there."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import asyncssh
import pytest
from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.media_pipeline.engine import errors
from custom_components.media_pipeline.engine.config import FolderTargetConfig, SftpTargetConfig
from custom_components.media_pipeline.engine.marker import MARKER_NAME
from custom_components.media_pipeline.engine.media.jobs import PhotoFormat
from custom_components.media_pipeline.engine.model import Content
from tests.support.asyncssh_server import AsyncsshServer
from tests.support.sftp import start_sftp_server
from tests.support.sftp_access import free_port
from tests.support.sshd import RealSshd

from .conftest import Places
from .fake_engine import FakeEngine

FOLDER = {"name": "Second disk", "content": "originals", "off_machine": True}


async def begin(hass: HomeAssistant, entry: MockConfigEntry, kind: str) -> Any:
    result = await hass.config_entries.subentries.async_init(
        (entry.entry_id, "target"), context={"source": SOURCE_USER}
    )
    assert result["type"] is FlowResultType.MENU
    return await answer(hass, result, {"next_step_id": kind})


async def answer(hass: HomeAssistant, result: Any, user_input: dict[str, Any]) -> Any:
    result = await hass.config_entries.subentries.async_configure(result["flow_id"], user_input)
    await hass.async_block_till_done()
    return result


def only_target(entry: MockConfigEntry) -> Any:
    (subentry,) = entry.subentries.values()
    return subentry


# --- folder ---------------------------------------------------------------------------------------


async def test_folder(
    hass: HomeAssistant, places: Places, fake_entry: MockConfigEntry, fake_engines: list[FakeEngine]
) -> None:
    result = await begin(hass, fake_entry, "folder")
    refused = {
        "target": "not_absolute",
        str(places.config / "target"): "in_config",
        str(places.archive / "target"): "overlaps",
        str(places.root / "no" / "where"): "parent_missing",
    }
    for path, error in refused.items():
        result = await answer(hass, result, FOLDER | {"path": path})
        assert result["errors"] == {"path": error}
    result = await answer(hass, result, FOLDER | {"path": str(places.target)})
    assert result["type"] is FlowResultType.CREATE_ENTRY

    subentry = only_target(fake_entry)
    assert subentry.title == "Second disk"
    assert subentry.unique_id == f"folder:{places.target}"
    assert dict(subentry.data) == {
        "kind": "folder",
        "path": str(places.target),
        "content": "originals",
        "off_machine": True,
    }
    assert [path.name for path in places.target.iterdir()] == [MARKER_NAME]
    assert fake_engines[-1].running
    assert fake_engines[-1].config.targets == (
        FolderTargetConfig(
            target_id=subentry.subentry_id,
            name="Second disk",
            path=places.target,
            content=Content.ORIGINALS,
            off_machine=True,
        ),
    )
    result = await begin(hass, fake_entry, "folder")
    result = await answer(hass, result, FOLDER | {"path": str(places.target / "again")})
    assert result["errors"] == {"path": "overlaps"}


async def test_folder_target_can_not_be_used(
    hass: HomeAssistant, places: Places, fake_entry: MockConfigEntry
) -> None:
    result = await begin(hass, fake_entry, "folder")
    with patch(
        "custom_components.media_pipeline.target_steps.probe_target",
        side_effect=errors.TargetReadOnly("why"),
    ):
        result = await answer(hass, result, FOLDER | {"path": str(places.target)})
    assert result["errors"] == {"base": "target_read_only"}
    with patch(
        "custom_components.media_pipeline.target_steps.probe_target",
        side_effect=errors.UrlExpired("why"),
    ):
        result = await answer(hass, result, FOLDER | {"path": str(places.target)})
    assert result["errors"] == {"base": "unknown"}, "what a target never says is no text either"
    result = await answer(hass, result, FOLDER | {"path": str(places.target)})
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_folder_reconfigure(
    hass: HomeAssistant, places: Places, fake_entry: MockConfigEntry, fake_engines: list[FakeEngine]
) -> None:
    result = await begin(hass, fake_entry, "folder")
    await answer(hass, result, FOLDER | {"path": str(places.target)})
    subentry_id = only_target(fake_entry).subentry_id

    result = await fake_entry.start_subentry_reconfigure_flow(hass, subentry_id)
    assert result["step_id"] == "folder"
    form = {"name": "Big disk", "path": str(places.target), "content": "both", "off_machine": False}
    result = await answer(hass, result, form)
    assert result["reason"] == "reconfigure_successful"
    subentry = only_target(fake_entry)
    assert (subentry.title, subentry.subentry_id) == ("Big disk", subentry_id)
    assert subentry.data["content"] == "both"
    assert fake_engines[-1].config.targets[0].content is Content.BOTH


async def test_a_target_has_its_own_photo_format_until_it_is_cleared(
    hass: HomeAssistant, places: Places, fake_entry: MockConfigEntry, fake_engines: list[FakeEngine]
) -> None:
    form = FOLDER | {"path": str(places.target), "content": "compressed"}
    result = await begin(hass, fake_entry, "folder")
    await answer(hass, result, form | {"photo_format": "avif"})
    assert fake_engines[-1].config.targets[0].photo_format is PhotoFormat.AVIF

    result = await fake_entry.start_subentry_reconfigure_flow(
        hass, only_target(fake_entry).subentry_id
    )
    await answer(hass, result, form)
    assert fake_engines[-1].config.targets[0].photo_format is None


# --- SFTP -----------------------------------------------------------------------------------------


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


def form_for(server: RealSshd | AsyncsshServer, **changes: Any) -> dict[str, Any]:
    access = server.access
    form = {
        "name": "NAS",
        "host": access.host,
        "port": float(access.port),
        "username": access.username,
        "path": f"{access.path.rstrip('/')}/photos",
        "content": "originals",
        "parallel": 4.0,
        "password": access.password,
        "private_key": access.private_key,
    }
    return {key: value for key, value in (form | changes).items() if value is not None}


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
