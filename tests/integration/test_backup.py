"""Backups of Home Assistant: the catalog's file is whole when it is copied."""

import sqlite3
from pathlib import Path

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.media_pipeline.backup import async_post_backup, async_pre_backup
from custom_components.media_pipeline.engine.errors import CatalogUnusable
from custom_components.media_pipeline.engine_config import private_dir

from .fake_engine import FakeEngine


async def test_the_file_alone_holds_everything(
    hass: HomeAssistant, real_entry: MockConfigEntry, tmp_path: Path
) -> None:
    """After the run only the write-ahead log knows of it; after the checkpoint the file does."""
    assert await async_setup_component(hass, "backup", {})
    engine = real_entry.runtime_data.engine
    run_id = await engine.start_run()
    await engine.wait_run(run_id)
    folder = private_dir(hass, real_entry.unique_id or "")

    await async_pre_backup(hass)

    assert (folder / "catalog.db-wal").stat().st_size == 0
    copy = tmp_path / "copy.db"
    copy.write_bytes((folder / "catalog.db").read_bytes())
    with sqlite3.connect(copy) as catalog:
        assert catalog.execute("SELECT count(*) FROM runs").fetchone() == (1,)
        assert catalog.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    await async_post_backup(hass)
    await engine.wait_run(await engine.start_run())


async def test_a_refused_checkpoint_holds_no_backup_up(
    hass: HomeAssistant,
    fake_entry: MockConfigEntry,
    fake_engines: list[FakeEngine],
    caplog: pytest.LogCaptureFixture,
) -> None:
    fake_engines[0].error = CatalogUnusable("disk I/O error")
    await async_pre_backup(hass)
    assert fake_engines[0].calls[-1] == ("checkpoint", {})
    assert "catalog_unusable" in caplog.text


async def test_without_a_loaded_source(hass: HomeAssistant, fake_entry: MockConfigEntry) -> None:
    assert await hass.config_entries.async_unload(fake_entry.entry_id)
    await async_pre_backup(hass)
