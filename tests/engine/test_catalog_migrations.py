"""Every catalog that a user may have can be brought to today's tables without losing a row."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

from custom_components.media_pipeline.engine.catalog.database import Catalog
from custom_components.media_pipeline.engine.catalog.migrate import MIGRATIONS, upgrade
from custom_components.media_pipeline.engine.catalog.schema import metadata
from custom_components.media_pipeline.engine.catalog.store import get_values, set_values
from custom_components.media_pipeline.engine.errors import CatalogUnusable

FIRST = "0001"


def test_first_revision_with_rows_reaches_head(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'catalog.db'}")
    upgrade(engine, FIRST)
    with engine.begin() as connection:
        connection.execute(
            text(
                "insert into assets (id, key, library, kind, filename, folder, stem, stem_key,"
                " created) values (7, 'PrimarySync/A', 'PrimarySync', 'photo', 'IMG_1.HEIC',"
                " '2024/05', 'IMG_1', 'img_1', 1)"
            )
        )
    upgrade(engine)
    with engine.connect() as connection:
        assert connection.execute(text("select filename from assets")).scalar_one() == "IMG_1.HEIC"
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_next_listing_begins_anew(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'catalog.db'}")
    upgrade(engine, FIRST)
    with engine.begin() as connection:
        connection.execute(
            text(
                "insert into assets (id, key, library, kind, filename, folder, stem, stem_key,"
                " created, record_saved) values (7, 'PrimarySync/A', 'PrimarySync', 'photo',"
                " 'IMG_1.HEIC', '2024/05', 'IMG_1', 'img_1', 1, 1)"
            )
        )
        set_values(connection, "cursor/", {"db": "token", "token:PrimarySync": "x"})
        set_values(connection, "icloud/", {"kept": "y"})
    upgrade(engine)
    with engine.connect() as connection:
        assert get_values(connection, "cursor/") == {}
        assert get_values(connection, "icloud/") == {"kept": "y"}
        assert connection.execute(text("select record_saved from assets")).scalar_one() == 0
    engine.dispose()


def test_indexes_of_the_migrations_are_those_of_the_schema(tmp_path: Path) -> None:
    migrated = create_engine(f"sqlite:///{tmp_path / 'a.db'}")
    upgrade(migrated, FIRST)
    upgrade(migrated)
    made = create_engine(f"sqlite:///{tmp_path / 'b.db'}")
    upgrade(made)  # a new file takes no steps
    for name in metadata.tables:
        assert {i["name"] for i in inspect(migrated).get_indexes(name)} == {
            i["name"] for i in inspect(made).get_indexes(name)
        }
        assert {c["name"]: c["default"] for c in inspect(migrated).get_columns(name)} == {
            c["name"]: c["default"] for c in inspect(made).get_columns(name)
        }
    for engine in (migrated, made):
        with engine.connect() as connection:
            assert MigrationContext.configure(connection).get_current_revision() == newest()
        engine.dispose()


def newest() -> str | None:
    """As Alembic reads it out of the revisions."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return ScriptDirectory.from_config(config).get_current_head()


async def test_wal_private_file_and_values(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog.db")
    await catalog.open()
    await catalog.write(set_values, "cursor/", {"db": "token", "other": "x"})
    await catalog.write(set_values, "cursor/", {"other": ""})
    assert await catalog.read(get_values, "cursor/") == {"db": "token"}
    mode = await catalog.read(lambda connection: connection.execute(text("pragma journal_mode")))
    assert mode is not None
    assert (tmp_path / "catalog.db").stat().st_mode & 0o077 == 0
    assert (tmp_path / "catalog.db-wal").exists()
    await catalog.close()


async def test_readers_cannot_write(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog.db")
    await catalog.open()
    with pytest.raises(CatalogUnusable):
        await catalog.read(set_values, "cursor/", {"db": "token"})
    await catalog.close()


async def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_bytes(b"this is no database" * 100)
    catalog = Catalog(tmp_path / "catalog.db")
    with pytest.raises(CatalogUnusable) as caught:
        await catalog.open()
    assert caught.value.placeholders["path"].endswith("catalog.db")
    await catalog.close()
