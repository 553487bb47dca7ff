"""The door: one thread of its own, usable from any loop, and everything given back at the end."""

import asyncio
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from custom_components.media_pipeline.engine.config import (
    CompressConfig,
    EngineConfig,
    FolderSourceConfig,
    FolderTargetConfig,
)
from custom_components.media_pipeline.engine.engine import Engine
from custom_components.media_pipeline.engine.errors import (
    DeviceChanged,
    EngineStopped,
    MarkerMissing,
    NoActiveRun,
    NotSupportedBySource,
)
from custom_components.media_pipeline.engine.marker import MARKER_NAME, claim_folder
from custom_components.media_pipeline.engine.model import (
    EngineEvent,
    RunOutcome,
    RunStatus,
    Snapshot,
    Stage,
)

from .harness import media_files

PHOTOS = 6


@pytest.fixture
def config(tmp_path: Path) -> EngineConfig:
    """A card with photos, an archive and a target folder."""
    card = tmp_path / "card" / "DCIM"
    card.mkdir(parents=True)
    for number in range(PHOTOS):
        picture = Image.effect_noise((320, 240), 60 + number)
        picture.save(card / f"IMG_{number:04}.JPG", quality=97)
    for path in card.iterdir():  # files that just changed are left for the next walk
        os.utime(path, (time.time() - 3600, time.time() - 3600))
    for name in ("archive", "target", "private"):
        (tmp_path / name).mkdir()
    identity = claim_folder(tmp_path / "archive")
    return EngineConfig(
        private_dir=tmp_path / "private",
        archive=tmp_path / "archive",
        archive_id=identity.marker_id,
        archive_device=identity.device_id,
        source=FolderSourceConfig(card.parent),
        targets=(
            FolderTargetConfig(
                target_id="disk", name="Disk", path=tmp_path / "target", reserve_bytes=0
            ),
        ),
        compress=CompressConfig(gentle=False),
        archive_reserve_bytes=0,
    )


async def test_a_card_is_archived_compressed_delivered_and_proven(config: EngineConfig) -> None:
    snapshots: list[Snapshot] = []
    threads: set[str] = set()
    events: list[EngineEvent] = []

    def keep(snapshot: Snapshot) -> None:
        snapshots.append(snapshot)
        threads.add(threading.current_thread().name)

    engine = Engine(config, on_snapshot=keep, on_event=events.append)
    with pytest.raises(EngineStopped):
        await engine.start_run()
    await engine.start()
    try:
        run_id = await engine.start_run(actor="anna")
        summary = await engine.wait_run(run_id)
        assert summary.outcome is RunOutcome.COMPLETED, summary
        numbers = engine.snapshot
        assert numbers.status is RunStatus.IDLE
        assert numbers.library.archived == numbers.library.items == PHOTOS
        assert numbers.library.compressed == PHOTOS
        assert numbers.targets["disk"].verified == numbers.targets["disk"].copies == 2 * PHOTOS
        assert numbers.targets["disk"].missing == 0
        assert numbers.authenticated is None
        # the target lies on the archive's disk: that is no second place
        assert numbers.library.protected == 0
        assert len(media_files(config.archive)) == 2 * PHOTOS
        with pytest.raises(NotSupportedBySource):
            await engine.plan_cleanup()
        with pytest.raises(NoActiveRun):
            await engine.pause()
        assert [event.type for event in events] == ["run_started", "run_completed"]
        assert all(name.startswith("media_pipeline") for name in threads)
        details = await engine.diagnostics()
        text = str(details)
        for personal in ("IMG_", str(config.archive), "Disk", "anna"):
            assert personal not in text
    finally:
        await engine.stop()
    assert not [t for t in threading.enumerate() if t.name == "media_pipeline"]
    with pytest.raises(EngineStopped):
        await engine.start_run()


@pytest.mark.parametrize("seconds", [0, 0.05])
async def test_stopping_in_the_middle_of_a_run_and_starting_again(
    config: EngineConfig, seconds: float
) -> None:
    engine = Engine(config, on_snapshot=lambda _: None, on_event=lambda _: None)
    await engine.start()
    await engine.start_run(actor="somebody")
    await asyncio.sleep(seconds)
    await engine.stop()
    engine = Engine(config, on_snapshot=lambda _: None, on_event=lambda _: None)
    await engine.start()
    try:
        last = engine.snapshot.last_run
        assert last is not None
        assert last.outcome is RunOutcome.INTERRUPTED
        summary = await engine.wait_run(await engine.start_run())
        assert summary.outcome is RunOutcome.COMPLETED
        assert engine.snapshot.library.archived == PHOTOS
        assert len(media_files(config.archive)) == 2 * PHOTOS
    finally:
        await engine.stop()


async def test_a_foreign_archive_is_refused_and_the_thread_ends(config: EngineConfig) -> None:
    wrong = replace(config, archive_device="dev:beef")
    engine = Engine(wrong, on_snapshot=lambda _: None, on_event=lambda _: None)
    with pytest.raises(DeviceChanged):
        await engine.start()
    (config.archive / MARKER_NAME).unlink()
    engine = Engine(config, on_snapshot=lambda _: None, on_event=lambda _: None)
    with pytest.raises(MarkerMissing):
        await engine.start()
    assert not [t for t in threading.enumerate() if t.name == "media_pipeline"]


async def test_a_changed_file_is_a_new_version_and_the_old_one_stays(
    config: EngineConfig,
) -> None:
    assert isinstance(config.source, FolderSourceConfig)
    engine = Engine(config, on_snapshot=lambda _: None, on_event=lambda _: None)
    await engine.start()
    try:
        await engine.wait_run(await engine.start_run((Stage.INGEST,)))
        before = {path: path.read_bytes() for path in media_files(config.archive)}
        victim = config.source.path / "DCIM" / "IMG_0000.JPG"
        Image.effect_noise((200, 100), 90).save(victim, quality=90)
        os.utime(victim, (time.time() - 1800, time.time() - 1800))
        await engine.wait_run(await engine.start_run((Stage.INGEST,)))
        after = media_files(config.archive)
        assert len(after) == PHOTOS + 1
        assert all(path.read_bytes() == data for path, data in before.items())
    finally:
        await engine.stop()
