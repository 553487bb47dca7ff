"""Adding and changing targets: real folders, a real SFTP server, and what may be wrong there."""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import asyncssh
import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.media_pipeline.diagnostics import async_get_config_entry_diagnostics
from custom_components.media_pipeline.engine import errors
from custom_components.media_pipeline.engine.age.keys import AgeKey
from custom_components.media_pipeline.engine.config import FolderTargetConfig, SftpTargetConfig
from custom_components.media_pipeline.engine.marker import MARKER_NAME
from custom_components.media_pipeline.engine.media.jobs import PhotoFormat
from custom_components.media_pipeline.engine.model import (
    Content,
    Kind,
    Snapshot,
    TargetStatus,
)
from custom_components.media_pipeline.engine.rules import TargetRules, WhenDeleted
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


# --- rules ----------------------------------------------------------------------------------------

NO_RULES: dict[str, dict[str, Any]] = {
    "what": {"favorites": False, "newest_days": 0.0},
    "where": {"layout": "{year}/{month}/{name}"},
    "when": {},
    "how_long": {"when_deleted": "keep", "keep_days": 30.0, "delete_days": 0.0},
    "proof": {"prove_days": 0.0, "read_back": False},
    "encryption": {"encrypt": False},
}


async def test_rules_are_asked_for_when_wanted(
    hass: HomeAssistant, places: Places, fake_entry: MockConfigEntry, fake_engines: list[FakeEngine]
) -> None:
    form = FOLDER | {"path": str(places.target), "set_rules": True}
    result = await answer(hass, await begin(hass, fake_entry, "folder"), form)
    assert result["step_id"] == "rules"
    assert result["description_placeholders"]["example"] == "2024/05/IMG_0042.HEIC"
    wrong = NO_RULES | {"where": {"layout": "{album}/{name}"}}
    result = await answer(hass, result, wrong)
    assert result["errors"] == {"base": "invalid_layout"}
    assert result["description_placeholders"]["reason"] == "{year}/{month}"
    what = {"kinds": ["video"], "albums": ["Rome"], "favorites": True, "newest_days": 30.0}
    wanted = {
        "what": what | {"captured_from": "2024-05-01"},
        "where": {"layout": "{kind}/{year}/{month}/{name}"},
        "when": {"from": "23:00:00", "until": "06:00:00"},
        "how_long": {"when_deleted": "archive", "keep_days": 7.0, "delete_days": 60.0},
        "proof": {"prove_days": 14.0, "read_back": True},
        "encryption": {"encrypt": False},
    }
    result = await answer(hass, result, wanted)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    subentry = only_target(fake_entry)
    assert subentry.data["rules"]["what"] == what | {"captured_from": "2024-05-01"}
    assert "set_rules" not in subentry.data
    (config,) = fake_engines[-1].config.targets
    assert config.gated
    assert config.rules == TargetRules(
        kinds=(Kind.VIDEO,),
        albums=("Rome",),
        favorites=True,
        newest_days=30,
        captured_from=round(
            datetime(2024, 5, 1, tzinfo=dt_util.get_default_time_zone()).timestamp() * 1000
        ),
        layout="{kind}/{year}/{month}/{name}",
        when_deleted=WhenDeleted.ARCHIVE,
        keep_days=7,
        delete_days=60,
        reverify_days=14,
        read_back=True,
    )

    result = await fake_entry.start_subentry_reconfigure_flow(hass, subentry.subentry_id)
    result = await answer(hass, result, FOLDER | {"path": str(places.target)})
    assert only_target(fake_entry).data["rules"] == subentry.data["rules"], "not asked: they stay"
    result = await fake_entry.start_subentry_reconfigure_flow(hass, subentry.subentry_id)
    result = await answer(hass, result, form)
    shown = {str(key): part for key, part in result["data_schema"].schema.items()}
    layout = next(iter(shown["where"].schema.schema))
    assert layout.description == {"suggested_value": "{kind}/{year}/{month}/{name}"}
    result = await answer(hass, result, NO_RULES)
    assert result["reason"] == "reconfigure_successful"
    assert "rules" not in only_target(fake_entry).data
    (config,) = fake_engines[-1].config.targets
    assert config.rules == TargetRules()
    assert not config.gated


@pytest.fixture
def no_probe() -> Iterator[None]:
    """For frozen clocks: the end of a real probe waits on the loop's clock, which stands still."""
    with (
        patch("custom_components.media_pipeline.target_steps.probe_target"),
        patch("tests.integration.fake_engine.probe_target"),
    ):
        yield


async def test_times_and_conditions_open_and_close_a_target(
    hass: HomeAssistant,
    places: Places,
    fake_entry: MockConfigEntry,
    fake_engines: list[FakeEngine],
    no_probe: None,
    freezer: FrozenDateTimeFactory,
) -> None:
    await hass.config.async_set_time_zone("Europe/Berlin")
    freezer.move_to("2026-11-22T20:00:00Z")  # 21:00 there
    hass.states.async_set("binary_sensor.charging", "on")
    form = FOLDER | {"path": str(places.target), "set_rules": True}
    result = await answer(hass, await begin(hass, fake_entry, "folder"), form)
    when = {"from": "23:00:00", "until": "06:00:00", "conditions": ["binary_sensor.charging"]}
    await answer(hass, result, NO_RULES | {"when": when})
    target = only_target(fake_entry).subentry_id

    def told() -> list[bool]:
        calls = [call for name, call in fake_engines[-1].calls if name == "set_gate"]
        assert {call["target_id"] for call in calls} <= {target}
        return [call["is_open"] for call in calls]

    def runs() -> int:
        return [name for name, _ in fake_engines[-1].calls].count("start_run")

    async def at(moment: str) -> None:
        freezer.move_to(moment)
        async_fire_time_changed(hass)
        await hass.async_block_till_done()

    assert told() == [False]
    engine = fake_engines[-1]
    status = TargetStatus(target, "Second disk", missing=3)
    engine.snapshot = Snapshot(authenticated=True, targets={target: status})
    engine.on_snapshot(engine.snapshot)
    await hass.async_block_till_done()
    await at("2026-11-22T22:00:01Z")
    assert told() == [False, True]
    assert runs() == 1, "what waited is sent"
    hass.states.async_set("binary_sensor.charging", "unavailable")
    await hass.async_block_till_done()
    assert told() == [False, True, False], "what is not known to be on is off"
    hass.states.async_set("binary_sensor.charging", "on")
    await hass.async_block_till_done()
    await at("2026-11-23T05:00:01Z")
    assert told() == [False, True, False, True, False]

    result = await fake_entry.start_subentry_reconfigure_flow(hass, target)
    result = await answer(hass, result, form)
    later = {"from": "05:00:00", "until": "08:00:00"}
    await answer(hass, result, NO_RULES | {"when": later})
    assert fake_engines[-1] is engine, "no new engine for other times"
    assert told()[-1] is True, "07:00 there is within the new times"


def locked(
    key: str | None = None, *, on: bool = True, hide: bool = False
) -> dict[str, dict[str, Any]]:
    return NO_RULES | {
        "encryption": {"encrypt": on, "hide_names": hide} | ({"encryption_key": key} if key else {})
    }


async def test_encryption_with_a_key_made_for_it(
    hass: HomeAssistant, places: Places, fake_entry: MockConfigEntry, fake_engines: list[FakeEngine]
) -> None:
    form = FOLDER | {"path": str(places.target), "set_rules": True}
    result = await answer(hass, await begin(hass, fake_entry, "folder"), form)
    result = await answer(hass, result, locked())
    assert result["step_id"] == "key"
    key = result["description_placeholders"]["key"]
    assert key.startswith("AGE-SECRET-KEY-1")
    result = await answer(hass, result, {"key_saved": False})
    assert result["errors"] == {"key_saved": "key_not_saved"}
    assert result["description_placeholders"]["key"] == key
    result = await answer(hass, result, {"key_saved": True})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    subentry = only_target(fake_entry)
    assert subentry.data["encryption_key"] == key
    (config,) = fake_engines[-1].config.targets
    assert config.encryption is not None
    assert config.encryption.key == key
    assert config.encryption.staging is not None
    assert config.encryption.staging.is_relative_to(places.archive)
    assert key not in repr(config)
    assert {path.name for path in places.target.iterdir()} == {MARKER_NAME, "encryption-check.age"}
    diagnostics = await async_get_config_entry_diagnostics(hass, fake_entry)
    assert key not in str(diagnostics)

    result = await fake_entry.start_subentry_reconfigure_flow(hass, subentry.subentry_id)
    result = await answer(hass, result, form)
    assert key not in str(result["data_schema"].schema)
    result = await answer(hass, result, locked(on=False))
    assert result["errors"] == {"base": "encryption_stays"}
    result = await answer(hass, result, locked("AGE-SECRET-KEY-1TYPO"))
    assert result["errors"] == {"base": "invalid_encryption_key"}
    result = await answer(hass, result, locked(AgeKey.generate().text))
    assert result["errors"] == {"base": "encryption_key_differs"}
    result = await answer(hass, result, locked())
    assert result["reason"] == "reconfigure_successful"
    assert only_target(fake_entry).data["encryption_key"] == key


async def test_encryption_with_a_key_from_before(
    hass: HomeAssistant, places: Places, fake_entry: MockConfigEntry
) -> None:
    key = AgeKey.generate()
    form = FOLDER | {"path": str(places.target), "set_rules": True}
    result = await answer(hass, await begin(hass, fake_entry, "folder"), form)
    text = f"# public key: {key.recipient} \n {key.text}\n"
    result = await answer(hass, result, locked(text, hide=True))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert only_target(fake_entry).data["encryption_key"] == key.text
    assert only_target(fake_entry).data["hide_names"] is True
