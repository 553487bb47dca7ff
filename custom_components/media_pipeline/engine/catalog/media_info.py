"""What files say of themselves, read once and kept apart from the tables of the queue.

``captured`` here is the file's own date. An asset's date is the source's, as its owner may have
corrected it there; only where that is missing or makes no sense does the file's own date count.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import Connection, Row, or_, select
from sqlalchemy.dialects.sqlite import insert

from ..clock import now_ms
from ..media.dates import first_sensible
from ..media.jobs import ProbeResult
from ..model import ResourceState, Role
from .schema import assets, media_info, resources

_PROBED: Final = (
    Role.ORIGINAL,
    Role.ALTERNATIVE,
    Role.LIVE_VIDEO,
    Role.EDITED,
    Role.EDITED_VIDEO,
)


def to_probe(connection: Connection, limit: int, skip: Collection[int] = ()) -> Sequence[Row[Any]]:
    """Archived photos and videos of which nothing is known, or only of bytes they had before."""
    return connection.execute(
        select(resources.c.id, resources.c.path, resources.c.sha256)
        .join(assets, assets.c.id == resources.c.asset_id)
        .outerjoin(media_info, media_info.c.resource_id == resources.c.id)
        .where(
            resources.c.current,
            resources.c.state == ResourceState.ARCHIVED,
            resources.c.role.in_(_PROBED),
            or_(
                media_info.c.resource_id.is_(None),
                media_info.c.sha256.is_distinct_from(resources.c.sha256),
            ),
            resources.c.id.not_in(skip),
        )
        .order_by(assets.c.captured.desc(), resources.c.id)
        .limit(limit)
    ).all()


def probed(connection: Connection, found: Sequence[tuple[Any, ProbeResult | str]]) -> None:
    """Store what was read of files, as (row of ``to_probe``, result or key of an error)."""
    for row, result in found:
        values = {"sha256": row.sha256, "probed_at": now_ms(), "error": None}
        if isinstance(result, str):
            values["error"] = result
        else:
            values |= _columns(result)
        statement = insert(media_info).values(resource_id=row.id, **values)
        connection.execute(
            statement.on_conflict_do_update(index_elements=["resource_id"], set_=values)
        )


def _columns(result: ProbeResult) -> dict[str, Any]:
    values = asdict(result)
    moment = first_sensible([(result.captured_from or "", result.captured)])
    values["captured"] = moment.milliseconds if moment else None
    values["captured_zone"] = moment.zone if moment else None
    return values


def info_of(connection: Connection, resource_id: int) -> Row[Any] | None:
    """What is known of one file."""
    return connection.execute(
        select(media_info).where(media_info.c.resource_id == resource_id)
    ).first()
