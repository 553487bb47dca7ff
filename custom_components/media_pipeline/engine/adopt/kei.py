"""kei's database, read for where its files lie. A hint only: every file is proven by its bytes.

kei keeps one row per file in a table ``assets``, with ``local_path`` once it is downloaded; columns
come and go with its versions, so only that one is asked for, and ``status`` where there is one.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from ..errors import AdoptDatabaseUnusable

_HEAD: Final = b"SQLite format 3\0"
_SUFFIXES: Final = (".db", ".sqlite", ".sqlite3")


def looks_like_database(path: str) -> bool:
    """Whether a file of the tree may be kei's database, by its name and first bytes. Blocking."""
    if not path.lower().endswith(_SUFFIXES):
        return False
    try:
        with Path(path).open("rb") as file:
            return file.read(len(_HEAD)) == _HEAD
    except OSError:
        return False


def local_paths(database: Path) -> Iterator[Path]:
    """Absolute paths of the files that kei has downloaded. Blocking.

    Opened as a file that nobody changes: neither locks nor a log of our own appear beside it. What
    kei has not yet moved from its own log into the file is not seen.

    Raises AdoptDatabaseUnusable when it is no database of kei's, or can't be read to its end.
    """
    address = f"file:{quote(str(database))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as connection:
            connection.text_factory = lambda raw: raw.decode(errors="surrogateescape")
            columns = {row[1] for row in connection.execute("PRAGMA table_info(assets)")}
            if not {"local_path", "version_size"} <= columns:
                raise AdoptDatabaseUnusable("no table of kei's", path=str(database))
            downloaded = " AND status = 'downloaded'" if "status" in columns else ""
            query = f"SELECT local_path FROM assets WHERE local_path IS NOT NULL{downloaded}"  # noqa: S608
            for (text,) in connection.execute(query):
                path = Path(str(text))
                if path.is_absolute():
                    yield path
    except sqlite3.Error as err:
        raise AdoptDatabaseUnusable(str(err), path=str(database)) from err
