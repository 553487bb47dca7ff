"""The harness: Home Assistant with its configuration, photos, archive and targets in one place."""

import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

# Without this import the harness's own package of the same name would be found first.
import custom_components.media_pipeline
from custom_components.media_pipeline.const import DOMAIN
from tests.icloud_server.client import StandIn

from .fake_engine import FakeEngine
from .helpers import folder_entry, icloud_entry, make_photo
from .receiver import Receiver

assert custom_components.media_pipeline


@dataclass(frozen=True)
class Places:
    """Folders of one test."""

    root: Path
    config: Path
    photos: Path
    archive: Path
    target: Path


OUR_THREADS = ("media_pipeline", "media-pipeline", "mp-files", "icloud")


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> Iterator[str]:
    """A configuration of its own; after Home Assistant stopped, our threads end by themselves."""
    folder = tmp_path / "config"
    folder.mkdir()
    yield str(folder)
    for thread in threading.enumerate():
        if thread.name.startswith(OUR_THREADS):
            thread.join(20)
            assert not thread.is_alive(), f"{thread.name} outlives Home Assistant"


@pytest.fixture
async def hass_client(
    hass: HomeAssistant, hass_client: ClientSessionGenerator
) -> ClientSessionGenerator:
    """The harness's, which takes no new addresses once it is open: ours are there before that."""
    assert await async_setup_component(hass, DOMAIN, {})
    return hass_client


@pytest.fixture
def places(tmp_path: Path, hass_config_dir: str) -> Places:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(4):
        make_photo(photos / f"IMG_000{number}.JPG", number)
    return Places(
        tmp_path, Path(hass_config_dir), photos, tmp_path / "archive", tmp_path / "target"
    )


@pytest.fixture(autouse=True)
def quiet_sql() -> None:
    """The harness logs every SQL statement; ours are many and say nothing about a failure."""
    logging.getLogger("sqlalchemy.engine").setLevel(logging.WARNING)


@pytest.fixture(autouse=True)
def auto_enable_custom_integrations(enable_custom_integrations: None) -> None:
    """Let Home Assistant load ours."""


@pytest.fixture
def fake_engines() -> Iterator[list[FakeEngine]]:
    """Engines that do nothing but remember, for what only snapshots and answers decide."""
    made: list[FakeEngine] = []

    def make(*args: object, **kwargs: object) -> FakeEngine:
        engine = FakeEngine(*args, **kwargs)  # type: ignore[arg-type]
        if made:
            engine.start_error = made[-1].next_start_error
        made.append(engine)
        return engine

    with patch("custom_components.media_pipeline.coordinator.Engine", side_effect=make):
        yield made


@pytest.fixture
async def fake_entry(
    hass: HomeAssistant, places: Places, fake_engines: list[FakeEngine]
) -> MockConfigEntry:
    """An iCloud entry on a fake engine, loaded."""
    entry = icloud_entry(places.archive)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


@pytest.fixture
async def real_entry(hass: HomeAssistant, places: Places) -> MockConfigEntry:
    """A folder source with one folder target on the real engine, loaded."""
    entry = folder_entry(places.photos, places.archive, places.target, compress_photos=False)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


@pytest.fixture
async def stand_in(
    hass: HomeAssistant, socket_enabled: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[..., StandIn]]:
    """Starts the stand-in for iCloud, and has everything talk to it."""
    running: list[StandIn] = []

    def start(**options: str | int) -> StandIn:
        server = StandIn.start(**{"assets": 6, **options})  # type: ignore[arg-type]
        running.append(server)
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        return server

    yield start
    for flow in hass.config_entries.flow.async_progress():
        hass.config_entries.flow.async_abort(flow["flow_id"])
    await hass.async_block_till_done()
    for server in running:
        server.stop()


@pytest.fixture
def receiver(hass: HomeAssistant) -> Receiver:
    """An action that takes what it is handed."""
    return Receiver(hass)
