"""Fix flows: look again, accept a moved archive, accept a changed host key."""

from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.media_pipeline.const import DOMAIN
from custom_components.media_pipeline.engine import errors
from custom_components.media_pipeline.engine.marker import MARKER_NAME, read_marker
from custom_components.media_pipeline.engine.model import RunStatus, Snapshot, Stage, TargetStatus
from custom_components.media_pipeline.engine.sources.icloud.session import SignInState
from tests.support.sftp import start_sftp_server

from .conftest import Places
from .fake_engine import FakeEngine
from .helpers import folder_entry, folder_target, icloud_entry, make_photo

type Post = Callable[..., Any]


@pytest.fixture
async def post(hass: HomeAssistant, hass_client: ClientSessionGenerator) -> Post:
    """Talks to fix flows as the frontend does."""
    assert await async_setup_component(hass, "repairs", {})
    client = await hass_client()

    async def send(data: dict[str, Any], flow: dict[str, Any] | None = None) -> dict[str, Any]:
        path = f"/api/repairs/issues/fix{'/' + flow['flow_id'] if flow else ''}"
        answer = await client.post(path, json=data)
        assert answer.status == HTTPStatus.OK, await answer.text()
        result: dict[str, Any] = await answer.json()
        await hass.async_block_till_done()
        return result

    return send


async def show(hass: HomeAssistant, engine: FakeEngine, **changes: Any) -> None:
    snapshot = replace(Snapshot(authenticated=True), **changes)
    engine.snapshot = snapshot
    await hass.async_add_executor_job(engine.on_snapshot, snapshot)
    await hass.async_block_till_done()


def begin(issue_id: str) -> dict[str, Any]:
    return {"handler": DOMAIN, "issue_id": issue_id}


async def test_archive_marker_missing_at_start(
    hass: HomeAssistant, places: Places, post: Post, issue_registry: ir.IssueRegistry
) -> None:
    """With the real engine: the entry can't be set up, and is again after the mount is back."""
    entry = folder_entry(places.photos, places.archive)
    entry.add_to_hass(hass)
    marker = places.archive / MARKER_NAME
    marker.rename(marker.with_suffix(".away"))
    assert not await hass.config_entries.async_setup(entry.entry_id)
    issue_id = f"archive_marker_missing_{entry.entry_id}"
    flow = await post(begin(issue_id))
    assert flow["menu_options"] == ["confirm", "new_disk"]
    flow = await post({"next_step_id": "confirm"}, flow)
    assert flow["step_id"] == "confirm"
    assert flow["description_placeholders"] == {
        "name": "Photo folder",
        "place": str(places.archive),
    }
    flow = await post({}, flow)
    assert flow["errors"] == {"base": "still_there"}
    marker.with_suffix(".away").rename(marker)
    flow = await post({}, flow)
    assert flow["type"] == "create_entry"
    assert entry.state is ConfigEntryState.LOADED
    assert issue_registry.async_get_issue(DOMAIN, issue_id) is None


async def test_the_archives_disk_died(
    hass: HomeAssistant, places: Places, post: Post, issue_registry: ir.IssueRegistry
) -> None:
    """With the real engine: an empty disk becomes the archive, and only an empty one."""
    entry = folder_entry(places.photos, places.archive)
    entry.add_to_hass(hass)
    marker = places.archive / MARKER_NAME
    marker_id = read_marker(places.archive)
    marker.unlink()
    (places.archive / "theirs.jpg").write_bytes(b"x")
    assert not await hass.config_entries.async_setup(entry.entry_id)
    issue_id = f"archive_marker_missing_{entry.entry_id}"
    away = places.archive.rename(places.archive.with_name("away"))
    flow = await post(begin(issue_id))
    flow = await post({"next_step_id": "new_disk"}, flow)
    assert flow["description_placeholders"]["size"] == "?"
    flow = await post({}, flow)
    assert flow["errors"] == {"base": "folder_missing"}
    away.rename(places.archive)
    flow = await post({}, flow)
    assert flow["errors"] == {"base": "not_empty"}
    assert " GB" in flow["description_placeholders"]["size"]
    assert not marker.exists()
    (places.archive / "theirs.jpg").unlink()
    (places.archive / "lost+found").mkdir()
    flow = await post({}, flow)
    assert flow["type"] == "create_entry"
    assert entry.state is ConfigEntryState.LOADED
    assert read_marker(places.archive) == marker_id
    assert issue_registry.async_get_issue(DOMAIN, issue_id) is None


async def test_moved_archive(
    hass: HomeAssistant, places: Places, post: Post, issue_registry: ir.IssueRegistry
) -> None:
    entry = folder_entry(places.photos, places.archive)
    entry.add_to_hass(hass)
    device = entry.data["archive_device"]
    hass.config_entries.async_update_entry(
        entry, data={**entry.data, "archive_device": "fsid:another"}
    )
    assert not await hass.config_entries.async_setup(entry.entry_id)
    issue_id = f"archive_device_changed_{entry.entry_id}"
    flow = await post(begin(issue_id))
    assert flow["type"] == "menu"
    flow = await post({"next_step_id": "confirm"}, flow)
    flow = await post({}, flow)
    assert flow["errors"] == {"base": "still_there"}

    flow = await post(begin(issue_id))
    flow = await post({"next_step_id": "accept"}, flow)
    marker = places.archive / MARKER_NAME
    marker.rename(marker.with_suffix(".away"))
    flow = await post({}, flow)
    assert flow["errors"] == {"base": "still_there"}, "an empty disk is not the archive"
    marker.with_suffix(".away").rename(marker)
    flow = await post({}, flow)
    assert flow["type"] == "create_entry"
    assert entry.data["archive_device"] == device
    assert entry.state is ConfigEntryState.LOADED
    assert issue_registry.async_get_issue(DOMAIN, issue_id) is None


async def test_moved_archive_while_loaded(
    hass: HomeAssistant,
    fake_entry: MockConfigEntry,
    fake_engines: list[FakeEngine],
    post: Post,
) -> None:
    await show(hass, fake_engines[0], problems=("device_changed",))
    flow = await post(begin(f"archive_device_changed_{fake_entry.entry_id}"))
    flow = await post({"next_step_id": "accept"}, flow)
    flow = await post({}, flow)
    assert flow["type"] == "create_entry"


@pytest.mark.parametrize("running", [True, False])
async def test_archive_full_while_loaded(
    hass: HomeAssistant,
    places: Places,
    fake_entry: MockConfigEntry,
    fake_engines: list[FakeEngine],
    post: Post,
    running: bool,
) -> None:
    status = RunStatus.SYNC if running else RunStatus.IDLE
    await show(hass, fake_engines[0], problems=("target_full",), status=status)
    flow = await post(begin(f"archive_full_{fake_entry.entry_id}"))
    with patch("shutil.disk_usage", return_value=type("Usage", (), {"free": 5})):
        flow = await post({}, flow)
    assert flow["errors"] == {"base": "still_there"}
    flow = await post({}, flow)
    assert flow["type"] == "create_entry"
    assert len(fake_engines) == (1 if running else 2), "a run that goes on is not interrupted"


async def test_source_folder_missing(
    hass: HomeAssistant, places: Places, fake_engines: list[FakeEngine], post: Post
) -> None:
    entry = folder_entry(places.photos, places.archive)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    away = places.photos.rename(places.root / "away")
    await show(hass, fake_engines[0], problems=("source_folder_missing",))
    flow = await post(begin(f"source_folder_missing_{entry.entry_id}"))
    assert flow["description_placeholders"]["place"] == str(places.photos)
    flow = await post({}, flow)
    assert flow["errors"] == {"base": "still_there"}
    away.rename(places.photos)
    flow = await post({}, flow)
    assert flow["type"] == "create_entry"


class Session:
    """What Apple says now."""

    error: errors.PipelineError | None = None
    state = SignInState.SIGNED_IN

    async def sign_in(self, *, asked: bool = False) -> SignInState:
        assert asked, "a person is there"
        return self.state

    async def libraries(self) -> list[str]:
        if self.error:
            raise self.error
        return []


@pytest.mark.parametrize(
    "problem",
    [
        "access_denied",
        "account_locked",
        "security_key_required",
        "terms_required",
        "web_access_off",
    ],
)
async def test_apple_wants_something(
    hass: HomeAssistant,
    fake_entry: MockConfigEntry,
    fake_engines: list[FakeEngine],
    post: Post,
    problem: str,
) -> None:
    session = Session()
    session.error = errors.ConsentRequired("why")
    fake_engines[0].icloud_session = session  # type: ignore[assignment]
    await show(hass, fake_engines[0], problems=(problem,))
    flow = await post(begin(f"{problem}_{fake_entry.entry_id}"))
    flow = await post({}, flow)
    assert flow["errors"] == {"base": "still_there"}
    session.error = None
    flow = await post({}, flow)
    assert flow["type"] == "create_entry"


async def test_target_looked_at_again(
    hass: HomeAssistant, places: Places, fake_engines: list[FakeEngine], post: Post
) -> None:
    entry = icloud_entry(places.archive, folder_target(places.target))
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    lost = TargetStatus("target-1", "Second disk", "target_path_missing")
    await show(hass, fake_engines[0], targets={"target-1": lost})
    flow = await post(begin(f"target_path_missing_{entry.entry_id}_target-1"))
    assert flow["description_placeholders"] == {"name": "Second disk", "place": str(places.target)}
    places.target.write_text("in the way")
    flow = await post({}, flow)
    assert flow["errors"] == {"base": "still_there"}
    places.target.unlink()
    places.target.mkdir()
    flow = await post({}, flow)
    assert flow["type"] == "create_entry"


async def test_target_without_its_marker_is_not_repaired(
    hass: HomeAssistant, places: Places, real_entry: MockConfigEntry, post: Post
) -> None:
    """An empty mount point is neither marked anew nor taken for the target."""
    engine = real_entry.runtime_data.engine
    await engine.wait_run(await engine.start_run())
    away = places.target.rename(places.root / "unmounted")
    places.target.mkdir()
    make_photo(places.photos / "another.jpg", 77)
    await engine.wait_run(await engine.start_run())
    await hass.async_block_till_done()
    assert hass.states.is_state("sensor.second_disk_state", "marker_missing")

    flow = await post(begin(f"target_marker_missing_{real_entry.entry_id}_target-1"))
    flow = await post({}, flow)
    assert flow["errors"] == {"base": "still_there"}
    assert list(places.target.iterdir()) == []

    places.target.rmdir()
    away.rename(places.target)
    flow = await post({}, flow)
    assert flow["type"] == "create_entry"
    await hass.async_block_till_done()
    assert hass.states.is_state("sensor.second_disk_state", "ok"), "seen without another run"


async def test_changed_host_key(
    hass: HomeAssistant,
    tmp_path: Path,
    places: Places,
    fake_engines: list[FakeEngine],
    post: Post,
    socket_enabled: None,
) -> None:
    server = await start_sftp_server(tmp_path / "nas")
    access = server.access
    data = {
        "kind": "sftp",
        "host": access.host,
        "port": access.port,
        "username": access.username,
        "path": f"{access.path.rstrip('/')}/photos",
        "host_key": access.host_key,
        "content": "originals",
        "parallel": 2,
        "password": access.password,
        "private_key": access.private_key,
    }
    target = folder_target(places.target) | {"data": data, "title": "NAS"}
    entry = icloud_entry(places.archive, target)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    changed = TargetStatus("target-1", "NAS", "host_key_changed")
    await show(hass, fake_engines[0], targets={"target-1": changed})
    issue_id = f"host_key_changed_{entry.entry_id}_target-1"
    await server.stop()
    flow = await post(begin(issue_id))
    assert (flow["type"], flow["reason"]) == ("abort", "no_answer")
    server.new_host_key()
    await server.start()

    flow = await post(begin(issue_id))
    shown = flow["description_placeholders"]
    assert shown["place"] == f"127.0.0.1:{data['path']}"
    assert shown["fingerprint"] != shown["old_fingerprint"]
    with patch.object(fake_engines[-1], "error", errors.TargetAuthFailed("why")):
        flow = await post({}, flow)
    assert flow["errors"] == {"base": "still_there"}
    flow = await post({}, flow)
    assert flow["type"] == "create_entry"
    stored = entry.subentries["target-1"].data["host_key"]
    assert stored == " ".join(server.access.host_key.split()[:2])
    assert fake_engines[-1].running
    await server.close()


async def test_a_place_that_reads_wrong(
    hass: HomeAssistant,
    places: Places,
    real_entry: MockConfigEntry,
    post: Post,
    issue_registry: ir.IssueRegistry,
) -> None:
    """With the real engine: nothing is mended until its owner says that the files are lost."""
    engine = real_entry.runtime_data.engine
    for number in range(20):
        make_photo(places.photos / f"more{number}.jpg", 100 + number)
    await engine.wait_run(await engine.start_run())
    for path in places.target.rglob("*.jpg"):
        path.unlink()
    await engine.wait_run(await engine.start_run((Stage.VERIFY,), prove_all=True))
    await hass.async_block_till_done()
    assert hass.states.is_state("sensor.second_disk_state", "reads_wrong")
    assert not list(places.target.rglob("*.jpg"))

    issue_id = f"target_reads_wrong_{real_entry.entry_id}_target-1"
    flow = await post(begin(issue_id))
    assert flow["description_placeholders"] == {"name": "Second disk", "place": str(places.target)}
    flow = await post({}, flow)
    assert flow["type"] == "create_entry"
    assert issue_registry.async_get_issue(DOMAIN, issue_id) is None
    await engine.wait_run(await engine.start_run((Stage.VERIFY,)))
    await hass.async_block_till_done()
    assert hass.states.is_state("sensor.second_disk_state", "ok")
    assert len(list(places.target.rglob("*.jpg"))) >= 20


@pytest.mark.parametrize("is_running", [True, False])
async def test_an_archive_that_reads_wrong(
    hass: HomeAssistant,
    fake_entry: MockConfigEntry,
    fake_engines: list[FakeEngine],
    post: Post,
    is_running: bool,
) -> None:
    await show(hass, fake_engines[0], problems=("reads_wrong",))
    flow = await post(begin(f"archive_reads_wrong_{fake_entry.entry_id}"))
    if is_running:
        fake_engines[0].error = errors.MarkerMissing("not there")
    else:
        assert await hass.config_entries.async_unload(fake_entry.entry_id)
        fake_engines[0].next_start_error = errors.MarkerMissing("not there")
    flow = await post({}, flow)
    assert flow["errors"] == {"base": "still_there"}
    fake_engines[0].error = None
    flow = await post({}, flow)
    assert flow["type"] == "create_entry"
    assert (fake_engines[-1] is fake_engines[0]) is is_running
    assert ("go_on", {"place": "archive", "actor": "repair"}) in fake_engines[-1].calls
