"""How much is lost now: copies to be sent again, files of the archive to be brought back."""

from sqlalchemy import Connection, func, select

from ..errors import CopyMismatch, CopyMissing
from ..model import ORIGINAL_ROLES, CopyState, ResourceState
from .schema import copies, resources


def lost_copies(connection: Connection) -> dict[str, int]:
    """Target → copies that were there once and are not proven now."""
    rows = connection.execute(
        select(copies.c.target_id, func.count())
        .join(resources, resources.c.id == copies.c.resource_id)
        .where(
            resources.c.current,
            copies.c.state.in_([CopyState.PENDING, CopyState.QUARANTINED]),
            copies.c.error.in_([CopyMissing.key, CopyMismatch.key]),
        )
        .group_by(copies.c.target_id)
    )
    return {row[0]: row[1] for row in rows}


def lost_originals(connection: Connection) -> tuple[int, int]:
    """Originals that were archived once: (those to be brought back, those that nobody has)."""
    rows = connection.execute(
        select(resources.c.state, func.count())
        .where(
            resources.c.state.in_([ResourceState.PENDING, ResourceState.QUARANTINED]),
            resources.c.current,
            resources.c.role.in_(ORIGINAL_ROLES),
            resources.c.sha256.is_not(None),
        )
        .group_by(resources.c.state)
    )
    found = {row[0]: row[1] for row in rows}
    return found.get(ResourceState.PENDING, 0), found.get(ResourceState.QUARANTINED, 0)
