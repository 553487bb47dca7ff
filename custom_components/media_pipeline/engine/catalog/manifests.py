"""Which folders hold files that their list of checksums does not tell of yet, and what to write.

Triggers count a folder's version up whenever something proven appears in it, leaves it or changes,
whoever writes that down; so a run looks only at folders that changed. They are made anew at every
start: a revision that rebuilds a table would lose them silently.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select, update

from ..model import CopyState, ResourceState
from .schema import copies, manifests, resources

ARCHIVE: Final = "archive"
"""The archive's place; targets have their ids."""

_FOLDER: Final = "rtrim(rtrim({path}, replace({path}, '/', '')), '/')"
# no ON CONFLICT within: the policy of the statement that fires a trigger would take its place
_COUNT_UP: Final = """
    insert into manifests (place, folder, version, written)
    select {place}, {folder}, 0, 0 where {when} and not exists
        (select 1 from manifests where place = {place} and folder = {folder});
    update manifests set version = version + 1
    where {when} and place = {place} and folder = {folder};
"""


def install(connection: Connection) -> None:
    """Make the triggers."""
    for table, state, place in (
        ("copies", CopyState.VERIFIED, "{row}.target_id"),
        ("resources", ResourceState.ARCHIVED, f"'{ARCHIVE}'"),
    ):
        before, after = (
            _COUNT_UP.format(
                place=place.format(row=row),
                folder=_FOLDER.format(path=f"{row}.path"),
                when=f"{row}.path is not null and {row}.state = '{state}'",
            )
            for row in ("old", "new")
        )
        changed = " or ".join(f"old.{c} is not new.{c}" for c in ("state", "path", "sha256"))
        for event, when, body in (
            ("insert", "true", after),
            ("update of state, path, sha256", changed, before + after),
        ):
            name = f"manifests_{table}_{event.partition(' ')[0]}"
            connection.exec_driver_sql(f"drop trigger if exists {name}")
            connection.exec_driver_sql(
                f"create trigger {name} after {event} on {table} when {when} begin {body} end"
            )


def changed_folders(connection: Connection, place: str) -> Sequence[Row[Any]]:
    """Folders whose list is to be written: rows of ``manifests``."""
    return connection.execute(
        select(manifests)
        .where(manifests.c.place == place, manifests.c.version != manifests.c.written)
        .order_by(manifests.c.folder)
    ).all()


def lines(connection: Connection, place: str, folder: str) -> dict[str, str]:
    """File name → SHA-256 of everything proven that lies directly in a folder, by name."""
    path: Any
    sha256: Any
    if place == ARCHIVE:
        path, sha256 = resources.c.path, resources.c.sha256
        # "likely": the planner takes the index on the path, not that of all archived files
        query = select(path, sha256).where(func.likely(resources.c.state == ResourceState.ARCHIVED))
    else:
        path = copies.c.path
        sha256 = func.coalesce(copies.c.stored_sha256, copies.c.sha256)
        query = select(path, sha256).where(
            copies.c.target_id == place, copies.c.state == CopyState.VERIFIED
        )
    begin = f"{folder}/" if folder else ""
    if begin:  # "0" is the character after "/": all paths below, by the index
        query = query.where(path > begin, path < f"{folder}0")
    query = query.where(
        path.is_not(None),
        sha256.is_not(None),
        func.instr(func.substr(path, len(begin) + 1), "/") == 0,
    )
    found = {row[0][len(begin) :]: row[1] for row in connection.execute(query)}
    return dict(sorted(found.items()))


def manifest_written(
    connection: Connection, row: Row[Any], path: str | None, sha256: str | None
) -> None:
    """The list of a folder (a row of ``changed_folders``) is written; None when it is removed.

    What changed since that row was read keeps the folder among the changed ones.
    """
    connection.execute(
        update(manifests)
        .where(manifests.c.place == row.place, manifests.c.folder == row.folder)
        .values(path=path, sha256=sha256, written=row.version)
    )


def write_all_again(connection: Connection, place: str) -> None:
    """Have every list of a place looked at, as if its folder had changed."""
    connection.execute(
        update(manifests)
        .where(manifests.c.place == place, manifests.c.version == manifests.c.written)
        .values(version=manifests.c.version + 1)
    )
