"""Bringing a catalog file to the newest revision."""

from pathlib import Path
from typing import Final

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, insert, inspect, select

from .schema import metadata

MIGRATIONS: Final = Path(__file__).parent / "migrations"
_VERSION: Final = Table(
    "alembic_version", MetaData(), Column("version_num", String(32), primary_key=True)
)
"""As Alembic would make it."""


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Run every missing revision in one transaction. Blocking; raises DatabaseError.

    A new file gets today's tables at once. Alembic, which takes a while to load, is needed only
    where there is something to change.
    """
    with engine.begin() as connection:
        if revision != "head":
            _run(connection, revision)
            return
        if not inspect(connection).get_table_names():
            metadata.create_all(connection)
            _VERSION.create(connection)
            connection.execute(insert(_VERSION).values(version_num=head()))
        elif _version(connection) != head():
            _run(connection, revision)


def head() -> str:
    """The newest revision; their files are numbered."""
    return max(path.name.partition("_")[0] for path in MIGRATIONS.glob("versions/[0-9]*.py"))


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_VERSION.name):
        return None
    return connection.execute(select(_VERSION.c.version_num)).scalar()


def _run(connection: Connection, revision: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
