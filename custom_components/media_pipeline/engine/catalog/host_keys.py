"""Keys of SSH servers besides the confirmed one (see ``targets.known_keys``)."""

from collections.abc import Sequence

from sqlalchemy import Connection, select, update

from .schema import targets
from .store import write_journal


def remembered(connection: Connection, target_id: str) -> str | None:
    """The text of ``KnownKeys`` of a target."""
    return connection.execute(select(targets.c.host_keys).where(targets.c.id == target_id)).scalar()


def remember(
    connection: Connection, target_id: str, text: str, fingerprints: Sequence[str]
) -> None:
    """A server announced keys, or shows another of them; the first of these is the one shown."""
    connection.execute(update(targets).where(targets.c.id == target_id).values(host_keys=text))
    detail = {"shown": fingerprints[0], "known": list(fingerprints[1:])}
    write_journal(connection, "host_keys", subject=target_id, detail=detail)


def forget(connection: Connection, target_id: str) -> None:
    """Only the confirmed key counts: a person looked at it."""
    connection.execute(update(targets).where(targets.c.id == target_id).values(host_keys=None))
