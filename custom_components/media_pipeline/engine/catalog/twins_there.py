"""Copies at a target that have the bytes of a file which is to be sent there."""

from typing import Any, Final

from sqlalchemy import Connection, Row, select, update

from ..model import CopyState
from .schema import copies, resources

WORTH_COPYING: Final = 1 << 20
"""Bytes from which on a copy made at the target is worth its questions; see ``targets.together``
for how the many small ones go."""


def twin_at(connection: Connection, target_id: str, row: Any) -> Row[Any] | None:
    """The newest proven copy (id, path) at a target of the bytes of resource ``row``.

    That is a photo's copy from before it moved to another library, or one of a duplicate. The
    source's checksum leads to it, so files without one have no twin.
    """
    if row.checksum is None:
        return None
    return connection.execute(
        select(copies.c.id, copies.c.path)
        .join(resources, resources.c.id == copies.c.resource_id)
        .where(
            resources.c.checksum == row.checksum,
            resources.c.size == row.size,
            resources.c.sha256 == row.sha256,
            copies.c.resource_id != row.id,
            copies.c.target_id == target_id,
            copies.c.state == CopyState.VERIFIED,
            copies.c.sha256 == row.sha256,
            copies.c.size == row.size,
            copies.c.stored_sha256.is_(None),
            copies.c.path.is_not(None),
        )
        .order_by(copies.c.proven_at.desc())
        .limit(1)
    ).first()


def doubt(connection: Connection, copy_id: int) -> None:
    """Have a copy proven before all others: something speaks against its bytes.

    A proof as old as its is now is worth nothing where proofs must be fresh.
    """
    connection.execute(
        update(copies)
        .where(copies.c.id == copy_id, copies.c.state == CopyState.VERIFIED)
        .values(proven_at=0)
    )
