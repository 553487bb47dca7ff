"""What compress did so far, in numbers."""

from typing import Any

from sqlalchemy import Connection, func, select

from ..model import CompressState
from .schema import resources


def compress_counts(connection: Connection) -> dict[str, Any]:
    """How many originals ended with which reason, and how much results look like their sources.

    ``quality`` holds, for kept versions by container of the original, how many were measured, and
    the lowest and the mean SSIM.
    """
    reasons = connection.execute(
        select(resources.c.compress_reason, func.count())
        .where(resources.c.current, resources.c.compress_reason.is_not(None))
        .group_by(resources.c.compress_reason)
    )
    measured = connection.execute(
        select(
            resources.c.container,
            func.count(),
            func.min(resources.c.quality),
            func.avg(resources.c.quality),
        )
        .where(
            resources.c.current,
            resources.c.compress == CompressState.DONE,
            resources.c.quality.is_not(None),
        )
        .group_by(resources.c.container)
    )
    return {
        "reasons": {str(reason): int(count) for reason, count in reasons},
        "quality": {
            container: {"files": files, "lowest": lowest, "mean": round(mean, 5)}
            for container, files, lowest, mean in measured
        },
    }
