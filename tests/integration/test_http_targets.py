"""Adding and changing rclone and WebDAV targets in the flow, against real servers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_socket
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.media_pipeline.engine.marker import MARKER_NAME
from custom_components.media_pipeline.engine.model import Content, Snapshot, TargetStatus
from custom_components.media_pipeline.engine.targets.google_photos import GooglePhotosTargetConfig
from custom_components.media_pipeline.engine.targets.rclone_config import RcloneTargetConfig
from custom_components.media_pipeline.engine.targets.webdav_config import WebdavTargetConfig
from tests.support import wsgidav_server
from tests.support.google_photos import GooglePhotos
from tests.support.rclone import PASSWORD, USER, Rclone, find_rclone
from tests.support.sftp_access import free_port
from tests.support.wsgidav_server import WsgidavServer

from .fake_engine import FakeEngine
from .target_forms import answer, begin, only_target

COMMON = {
    "content": "originals",
    "parallel": 4,
    "bandwidth": 0,
    "verify_ssl": True,
    "same_machine": False,
}


@pytest.fixture
def nextcloud(tmp_path: Path) -> Iterator[WsgidavServer]:
    """A WebDAV server at the address where a Nextcloud has it."""
    pytest_socket.enable_socket()
    (tmp_path / "cloud").mkdir()
    user = wsgidav_server.USER
    server = WsgidavServer(tmp_path / "cloud", tmp_path, f"/remote.php/dav/files/{user}").start()
    yield server
    server.close()


@pytest.fixture
def rclone(tmp_path: Path) -> Iterator[Rclone]:
    if find_rclone() is None:
        pytest.skip("rclone is not there: scripts/setup --all")
    pytest_socket.enable_socket()
    server = Rclone(tmp_path)
    server.start()
    yield server
    server.close()


async def test_webdav(
    hass: HomeAssistant,
    fake_entry: MockConfigEntry,
    fake_engines: list[FakeEngine],
    nextcloud: WsgidavServer,
    tmp_path: Path,
) -> None:
    """A Nextcloud's own address is enough; what is wrong is named; the password stays."""
    form: dict[str, Any] = COMMON | {
        "name": "Cloud",
        "url": nextcloud.url,
        "username": wsgidav_server.USER,
        "password": wsgidav_server.PASSWORD,
        "path": "Photos",
    }
    result = await begin(hass, fake_entry, "webdav")
    for wrong, error in (
        ({"password": "wrong"}, "target_auth_failed"),
        ({"url": f"{nextcloud.url}/nowhere"}, "no_webdav"),
        ({"url": f"http://127.0.0.1:{free_port()}"}, "target_unreachable"),
    ):
        result = await answer(hass, result, form | wrong)
        assert result["errors"] == {"base": error}
    result = await answer(hass, result, form)
    assert result["type"] is FlowResultType.CREATE_ENTRY

    subentry = only_target(fake_entry)
    assert [path.name for path in (tmp_path / "cloud" / "Photos").iterdir()] == [MARKER_NAME]
    assert fake_engines[-1].config.targets == (
        WebdavTargetConfig(
            target_id=subentry.subentry_id,
            name="Cloud",
            content=Content.ORIGINALS,
            url=nextcloud.url,
            path="Photos",
            username=wsgidav_server.USER,
            password=wsgidav_server.PASSWORD,
            parallel=4,
        ),
    )

    result = await fake_entry.start_subentry_reconfigure_flow(hass, subentry.subentry_id)
    assert result["data_schema"] is not None
    shown = {str(key): key.description for key in result["data_schema"].schema}
    assert not (shown["password"] or {}).get("suggested_value")
    assert shown["path"]["suggested_value"] == "Photos"
    kept = {key: value for key, value in form.items() if key != "password"}
    result = await answer(hass, result, kept | {"same_machine": True})
    assert result["reason"] == "reconfigure_successful"
    assert only_target(fake_entry).data["password"] == wsgidav_server.PASSWORD
    assert fake_engines[-1].config.targets[0].off_machine is False


async def test_rclone(
    hass: HomeAssistant,
    fake_entry: MockConfigEntry,
    fake_engines: list[FakeEngine],
    rclone: Rclone,
    tmp_path: Path,
) -> None:
    form: dict[str, Any] = COMMON | {
        "name": "Far away",
        "url": rclone.url,
        "username": USER,
        "password": PASSWORD,
        "remote": f"{tmp_path}/there",
    }
    result = await begin(hass, fake_entry, "rclone")
    for wrong, error in (
        ({"password": "wrong"}, "target_auth_failed"),
        ({"remote": "never:x"}, "rclone_remote_unknown"),
        ({"remote": "no remote at all"}, "rclone_remote_unknown"),
        ({"url": f"http://127.0.0.1:{free_port()}"}, "target_unreachable"),
    ):
        result = await answer(hass, result, form | wrong)
        assert result["errors"] == {"base": error}
    result = await answer(hass, result, form)
    assert result["type"] is FlowResultType.CREATE_ENTRY

    subentry = only_target(fake_entry)
    assert [path.name for path in (tmp_path / "there").iterdir()] == [MARKER_NAME]
    assert fake_engines[-1].config.targets == (
        RcloneTargetConfig(
            target_id=subentry.subentry_id,
            name="Far away",
            content=Content.ORIGINALS,
            url=rclone.url,
            remote=f"{tmp_path}/there",
            username=USER,
            password=PASSWORD,
            parallel=4,
        ),
    )
    result = await begin(hass, fake_entry, "rclone")
    result = await answer(hass, result, form)
    assert result["reason"] == "already_configured"


async def test_google_photos(
    hass: HomeAssistant,
    fake_entry: MockConfigEntry,
    fake_engines: list[FakeEngine],
    tmp_path: Path,
) -> None:
    """A kind of its own: it is handed photos, and shows what Google lists of them."""
    if find_rclone() is None:
        pytest.skip("rclone is not there: scripts/setup --all")
    pytest_socket.enable_socket()
    google = GooglePhotos(tmp_path).start()
    server = Rclone(tmp_path, environment=google.environment)
    server.remote("gphotos", **google.options)
    server.start()
    form = {key: COMMON[key] for key in ("parallel", "bandwidth", "verify_ssl")} | {
        "name": "Google",
        "url": server.url,
        "username": USER,
        "password": PASSWORD,
        "content": "motion_photos",
    }
    try:
        result = await begin(hass, fake_entry, "google_photos")
        for remote in (f"{tmp_path}/there", "gphotos:media/all"):
            result = await answer(hass, result, form | {"remote": remote})
            assert result["errors"] == {"base": "not_google_photos"}
        result = await answer(hass, result, form | {"remote": "gphotos:album/iCloud"})
        assert result["type"] is FlowResultType.CREATE_ENTRY
        other = await begin(hass, fake_entry, "rclone")
        other = await answer(hass, other, COMMON | form | {"remote": "gphotos:album/iCloud"})
        assert other["errors"] == {"base": "rclone_unsuitable"}
    finally:
        server.close()
        google.close()
    assert google.items == []

    target_id = only_target(fake_entry).subentry_id
    assert fake_engines[-1].config.targets == (
        GooglePhotosTargetConfig(
            target_id=target_id,
            name="Google",
            content=Content.MOTION_PHOTOS,
            url=server.url,
            remote="gphotos:album/iCloud",
            username=USER,
            password=PASSWORD,
            parallel=4,
        ),
    )
    assert fake_engines[-1].config.targets[0].hand_off
    names = {state.entity_id for state in hass.states.async_all("sensor")}
    shown = {name for name in names if name.startswith("sensor.google_")}
    assert shown == {
        "sensor.google_state",
        "sensor.google_missing_copies",
        "sensor.google_delivered",
        "sensor.google_backed_up_inferred",
    }


async def test_a_repair_for_a_target_without_a_folder(
    hass: HomeAssistant,
    fake_entry: MockConfigEntry,
    fake_engines: list[FakeEngine],
    rclone: Rclone,
    tmp_path: Path,
) -> None:
    """The permission of a cloud runs out: the repair says for which remote."""
    result = await begin(hass, fake_entry, "rclone")
    form = {"name": "Far away", "url": rclone.url, "username": USER, "password": PASSWORD}
    await answer(hass, result, COMMON | form | {"remote": f"{tmp_path}/there"})
    target_id = only_target(fake_entry).subentry_id
    engine = fake_engines[-1]

    status = TargetStatus(target_id, "Far away", "rclone_remote_refused")
    engine.snapshot = Snapshot(authenticated=True, targets={target_id: status})
    engine.on_snapshot(engine.snapshot)
    await hass.async_block_till_done()

    issues = [
        issue
        for issue in ir.async_get(hass).issues.values()
        if issue.translation_key == "rclone_remote_refused"
    ]
    assert [issue.translation_placeholders for issue in issues] == [
        {"name": "Far away", "place": f"{tmp_path}/there"}
    ]
    state = hass.states.get("sensor.far_away_state")
    assert state is not None
    assert state.state == "rclone_remote_refused"
