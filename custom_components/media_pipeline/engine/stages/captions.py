"""What the owner knows a photo by, from the catalog, to be written into derivatives."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from sqlalchemy import Connection, Row, select

from ..catalog.schema import assets
from ..media.dates import makes_sense
from ..media.jobs import Captions


def captions_of(connection: Connection, asset_id: int) -> Captions | None:
    """Title, description, keywords, favorite and date of an asset; None when it has none."""
    row = connection.execute(select(assets).where(assets.c.id == asset_id)).first()
    if row is None:
        return None
    captions = Captions(
        title=row.title or None,
        description=row.description or None,
        keywords=_keywords(row.keywords),
        favorite=row.favorite,
        captured=_captured(row),
    )
    return None if captions == Captions() else captions


def _keywords(stored: str | None) -> tuple[str, ...]:
    found = json.loads(stored) if stored else []
    return tuple(str(word) for word in found if word)


def _captured(row: Row[Any]) -> str | None:
    """The source's date as ISO 8601 in the zone of the place; None when it makes no sense."""
    if row.captured is None:
        return None
    try:
        when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=row.captured)
    except OverflowError:
        return None
    if not makes_sense(when):
        return None
    return when.astimezone(timezone(timedelta(seconds=row.tz_offset or 0))).isoformat()
