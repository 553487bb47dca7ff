"""Opening the catalog: migrations, one writer thread, read-only readers."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Concatenate

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import QueuePool, StaticPool

from ..errors import CatalogUnusable
from . import manifests

_READERS = 2


class Catalog:
    """The SQLite file (WAL). Functions that take a ``Connection`` first are run on its threads."""

    def __init__(self, path: Path) -> None:
        """Nothing is opened yet."""
        self._path = path
        self._writer: Engine | None = None
        self._reader: Engine | None = None
        self._write_thread = ThreadPoolExecutor(1, thread_name_prefix="catalog-write")
        self._read_threads = ThreadPoolExecutor(_READERS, thread_name_prefix="catalog-read")

    async def open(self) -> None:
        """Create or migrate the file. Raises CatalogUnusable."""
        await asyncio.get_running_loop().run_in_executor(self._write_thread, self._open)

    def _open(self) -> None:
        from .migrate import upgrade

        url = f"sqlite:///{self._path}"
        writer = create_engine(
            url, poolclass=StaticPool, connect_args={"check_same_thread": False, "timeout": 30}
        )
        event.listen(writer, "connect", _prepare_writer)
        try:
            upgrade(writer)
            with writer.begin() as connection:
                manifests.install(connection)
        except (DatabaseError, sqlite3.DatabaseError) as err:
            writer.dispose()
            raise CatalogUnusable(str(err), path=str(self._path)) from err
        self._path.chmod(0o600)
        reader = create_engine(
            url,
            poolclass=QueuePool,
            pool_size=_READERS,
            connect_args={"check_same_thread": False, "timeout": 30},
        )
        event.listen(reader, "connect", _prepare_reader)
        self._writer, self._reader = writer, reader

    async def write[**P, T](
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run ``work(connection, ...)`` on the writer thread, in one transaction."""
        return await asyncio.get_running_loop().run_in_executor(
            self._write_thread, partial(self._in_transaction, work, *args, **kwargs)
        )

    async def read[**P, T](
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run ``work(connection, ...)`` on a reader thread; it can't write."""
        return await asyncio.get_running_loop().run_in_executor(
            self._read_threads, partial(self._read_only, work, *args, **kwargs)
        )

    async def flush(self) -> None:
        """Make what was written last a power cut. Raises CatalogUnusable."""
        await asyncio.get_running_loop().run_in_executor(self._write_thread, self._flush)

    def _flush(self) -> None:
        if self._writer is None:
            raise CatalogUnusable("the catalog is not open", path=str(self._path))
        try:
            with self._writer.connect() as connection:
                # a checkpoint flushes the write-ahead log first
                connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").all()
        except DatabaseError as err:
            raise CatalogUnusable(str(err.orig), path=str(self._path)) from err

    def _in_transaction[**P, T](
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        if self._writer is None:
            raise CatalogUnusable("the catalog is not open", path=str(self._path))
        try:
            with self._writer.begin() as connection:
                return work(connection, *args, **kwargs)
        except DatabaseError as err:
            raise CatalogUnusable(str(err.orig), path=str(self._path)) from err

    def _read_only[**P, T](
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        if self._reader is None:
            raise CatalogUnusable("the catalog is not open", path=str(self._path))
        try:
            with self._reader.connect() as connection:
                return work(connection, *args, **kwargs)
        except DatabaseError as err:
            raise CatalogUnusable(str(err.orig), path=str(self._path)) from err

    async def checkpoint(self) -> None:
        """Move the write-ahead log into the catalog's file, so that a copy of that file is whole.

        Raises CatalogUnusable.
        """
        await asyncio.get_running_loop().run_in_executor(self._write_thread, self._checkpoint)

    def _checkpoint(self) -> None:
        if self._writer is None:
            raise CatalogUnusable("the catalog is not open", path=str(self._path))
        try:
            with self._writer.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()
        except DatabaseError as err:
            raise CatalogUnusable(str(err.orig), path=str(self._path)) from err

    async def close(self) -> None:
        """Finish what is queued, then close the file."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._read_threads.shutdown)
        await loop.run_in_executor(self._write_thread, self._close)
        await loop.run_in_executor(None, self._write_thread.shutdown)

    def _close(self) -> None:
        for engine in (self._reader, self._writer):
            if engine is not None:
                engine.dispose()
        self._reader = self._writer = None


def _prepare_writer(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    # In WAL mode NORMAL survives a killed process; a power cut may lose the last transactions,
    # which only makes the next run look at those files again.
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _prepare_reader(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only=ON")
    cursor.close()
