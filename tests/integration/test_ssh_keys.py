"""SSH keys in forms: a private key uploaded as a file, and servers that announced another key."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import asyncssh
import pytest
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.media_pipeline.engine.model import TargetStatus
from tests.support.sftp import start_sftp_server
from tests.support.sshd import RealSshd, find_sshd

from .fake_engine import FakeEngine
from .target_forms import answer, begin, form_for, only_target
from .test_repairs import Post, post, show  # noqa: F401 a fixture
from .test_repairs import begin as begin_repair


@pytest.fixture
async def server(tmp_path: Path, socket_enabled: None) -> AsyncIterator[RealSshd]:
    if find_sshd() is None:
        pytest.skip("sshd is not installed: scripts/setup --all")
    running = await start_sftp_server(tmp_path / "nas")
    assert isinstance(running, RealSshd)
    yield running
    await running.close()


async def upload(client: ClientSessionGenerator, data: bytes) -> str:
    form = aiohttp.FormData()
    form.add_field("file", data, filename="id_ed25519")
    answered = await (await client()).post("/api/file_upload", data=form)
    assert answered.status == 200
    return str((await answered.json())["file_id"])


async def test_an_uploaded_key(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    fake_entry: MockConfigEntry,
    server: RealSshd,
) -> None:
    result = await begin(hass, fake_entry, "sftp")
    form = form_for(server, private_key=None)
    for wrong in (b"no key", b"\xff\xfe", b"x" * 100_000):
        file_id = await upload(hass_client, wrong)
        result = await answer(hass, result, form | {"private_key_file": file_id})
        assert result["errors"] == {"private_key_file": "invalid_key"}
    result = await answer(hass, result, form | {"private_key_file": file_id})
    assert result["errors"] == {"private_key_file": "invalid_key"}, "that upload was used up"
    suggested = {
        str(key): (key.description or {}).get("suggested_value")
        for key in result["data_schema"].schema
    }
    assert suggested["host"] == "127.0.0.1"
    assert suggested["private_key"] is suggested["private_key_file"] is None

    file_id = await upload(hass_client, server.private_key.encode())
    result = await answer(hass, result, form | {"private_key_file": file_id})
    assert result["step_id"] == "host_key", result["errors"]
    result = await answer(hass, result, {})

    assert result["type"] is FlowResultType.CREATE_ENTRY
    data = only_target(fake_entry).data
    assert data["private_key"] == server.private_key
    assert "private_key_file" not in data


async def test_an_uploaded_key_with_a_passphrase(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    fake_entry: MockConfigEntry,
    server: RealSshd,
) -> None:
    key = asyncssh.import_private_key(server.private_key)
    locked = key.export_private_key(passphrase="open sesame", rounds=8, ignore_few_rounds=True)
    result = await begin(hass, fake_entry, "sftp")
    form = form_for(server, private_key=None)
    file_id = await upload(hass_client, locked)

    result = await answer(hass, result, form | {"private_key_file": file_id})
    assert result["errors"] == {"passphrase": "key_locked"}
    result = await answer(hass, result, form | {"passphrase": "wrong"})
    assert result["errors"] == {"passphrase": "key_locked"}, "the key need not be uploaded again"
    result = await answer(hass, result, form | {"passphrase": "open sesame"})
    result = await answer(hass, result, {})

    assert result["type"] is FlowResultType.CREATE_ENTRY


def fingerprint(line: str) -> str:
    return asyncssh.import_public_key(line).get_fingerprint()


async def test_changing_a_target_whose_server_announced_its_key(
    hass: HomeAssistant,
    fake_entry: MockConfigEntry,
    fake_engines: list[FakeEngine],
    server: RealSshd,
) -> None:
    result: Any = await begin(hass, fake_entry, "sftp")
    result = await answer(hass, result, form_for(server))
    await answer(hass, result, {})
    target = only_target(fake_entry)
    first = target.data["host_key"]
    form = form_for(server, password=None, private_key=None)
    await server.stop()
    server.new_host_key()
    await server.start()
    second = " ".join(server.host_key.split()[:2])
    fake_engines[-1].host_keys = (second,)

    result = await fake_entry.start_subentry_reconfigure_flow(hass, target.subentry_id)
    result = await answer(hass, result, form)
    assert result["reason"] == "reconfigure_successful", "nobody was asked"
    assert only_target(fake_entry).data["host_key"] == second != first

    await server.stop()
    server.new_host_key()
    await server.start()
    engine = fake_engines[-1]
    engine.host_keys = (first, second)
    result = await fake_entry.start_subentry_reconfigure_flow(hass, target.subentry_id)
    result = await answer(hass, result, form)
    assert result["step_id"] == "changed_host_key"
    shown = result["description_placeholders"]
    assert shown["old_fingerprint"] == fingerprint(first), "the one it showed last"
    assert shown["fingerprint"] == fingerprint(server.host_key)
    result = await answer(hass, result, {})
    assert result["reason"] == "reconfigure_successful"
    assert ("forget_host_keys", {"target_id": target.subentry_id}) in engine.calls


async def test_a_repair_shows_the_key_that_was_shown_last(
    hass: HomeAssistant,
    fake_entry: MockConfigEntry,
    fake_engines: list[FakeEngine],
    post: Post,  # noqa: F811
    server: RealSshd,
) -> None:
    result: Any = await begin(hass, fake_entry, "sftp")
    result = await answer(hass, result, form_for(server))
    await answer(hass, result, {})
    target = only_target(fake_entry)
    announced = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    await server.stop()
    server.new_host_key()
    await server.start()
    engine = fake_engines[-1]
    engine.host_keys = (announced, target.data["host_key"])
    changed = TargetStatus(target.subentry_id, "NAS", "host_key_changed")
    await show(hass, engine, targets={target.subentry_id: changed})

    issue_id = f"host_key_changed_{fake_entry.entry_id}_{target.subentry_id}"
    flow = await post(begin_repair(issue_id))
    assert flow["description_placeholders"]["old_fingerprint"] == fingerprint(announced)
    assert flow["description_placeholders"]["fingerprint"] == fingerprint(server.host_key)
    flow = await post({}, flow)

    assert flow["type"] == "create_entry"
    assert ("forget_host_keys", {"target_id": target.subentry_id}) in engine.calls
