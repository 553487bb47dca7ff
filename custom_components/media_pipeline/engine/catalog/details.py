"""What people know a photo by, as columns and back."""

import json
from dataclasses import asdict
from typing import Any

from ..model import Details


def columns_of(details: Details) -> dict[str, Any]:
    """The columns of ``assets`` that hold these details."""
    keywords = json.dumps(details.keywords, ensure_ascii=False) if details.keywords else None
    return {**asdict(details), "keywords": keywords}


def details_of(row: Any) -> Details:
    """The details in a row of ``assets``."""
    return Details(
        title=row.title,
        description=row.description,
        keywords=tuple(json.loads(row.keywords)) if row.keywords else (),
        latitude=row.latitude,
        longitude=row.longitude,
        altitude=row.altitude,
        tz_offset=row.tz_offset,
        tz_name=row.tz_name,
        subtype=row.subtype,
        burst_id=row.burst_id,
        live=row.live,
        adjustment=row.adjustment,
    )
