"""A Mac's disk lists names in another form of Unicode than they were given: they are the same."""

import os
import unicodedata
from pathlib import Path
from typing import Any

from custom_components.media_pipeline.engine.archive import Archive
from custom_components.media_pipeline.engine.config import (
    CompressConfig,
    EngineConfig,
    FolderSourceConfig,
)
from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.marker import claim_folder
from custom_components.media_pipeline.engine.model import EngineEvent, RunOutcome
from custom_components.media_pipeline.engine.names import one_form
from custom_components.media_pipeline.engine.stages.glance import _listed
from tests.support.asyncssh_server import AsyncsshServer, Faults

from .harness import run
from .media.making import jpeg
from .years import ask, change, verify

NAME = unicodedata.normalize("NFC", "Zürich Café ガ.jpg")
DECOMPOSED = unicodedata.normalize("NFD", NAME)


def test_one_form() -> None:
    assert NAME != DECOMPOSED
    assert one_form(f"2024/05/{DECOMPOSED}") == f"2024/05/{NAME}"
    assert one_form("2024/05/IMG_1.JPG") == "2024/05/IMG_1.JPG"


def test_the_archives_own_listing(tmp_path: Path) -> None:
    identity = claim_folder(tmp_path)
    (tmp_path / DECOMPOSED).write_bytes(b"12345")
    assert hash((NAME, 5)) in _listed(Archive(tmp_path, identity, 0))


async def test_a_target_that_decomposes(tmp_path: Path) -> None:
    """Nothing is taken for missing, proven without need, or sent twice."""
    source, archive, private, served = (
        tmp_path / name for name in ("source", "archive", "private", "served")
    )
    for folder in (source, archive, private, served):
        folder.mkdir(mode=0o700)
    jpeg(source / NAME)
    os.utime(source / NAME, (1.7e9, 1.7e9))
    server = await AsyncsshServer(served, faults=Faults(decomposes=True)).start()
    identity = claim_folder(archive)
    events: list[EngineEvent] = []
    config = EngineConfig(
        private_dir=private,
        archive=archive,
        archive_id=identity.marker_id,
        archive_device=identity.device_id,
        source=FolderSourceConfig(source),
        targets=(server.access.target_config("photos", target_id="mac"),),
        compress=CompressConfig(photos=False, videos=False, gentle=False),
        archive_reserve_bytes=0,
    )
    core = Core(config, lambda _: None, events.append)
    await core.open()
    try:
        summary = await run(core)
        assert summary.outcome is RunOutcome.COMPLETED, summary

        def there() -> list[str]:
            return sorted(path.name for path in served.rglob("*") if path.is_file())

        before = there()
        assert DECOMPOSED in before
        assert NAME not in before
        proven = await _proven(core)
        assert all(path == one_form(path) for path, _ in proven)
        for _ in range(2):
            await change(core, "delete from settings where key like 'glance/%'")
            await verify(core, everything=False)
            assert await _proven(core) == proven, "what is listed is not doubted"
        await verify(core)
        summary = await run(core)
        assert summary.outcome is RunOutcome.COMPLETED, summary
        assert there() == before
        assert not [event for event in events if event.type == "copy_lost"]
    finally:
        await core.close()
        await server.close()


async def _proven(core: Core) -> list[Any]:
    return [tuple(row) for row in await ask(core, "select path, proven_at from copies order by 1")]
