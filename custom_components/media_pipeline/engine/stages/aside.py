"""Archive instead of delete: what its owner deleted at the source moves aside at a target.

Nothing is deleted by this (see ``retention``): a copy is renamed into ``.archive/``, and stays
proven and counted.
"""

import logging
from typing import Final

from ..catalog import left
from ..clock import DAY, now_ms
from ..config import TargetConfig
from ..errors import PipelineError, TargetUnavailableError
from ..rules import WhenDeleted
from ..targets.base import MovingTarget, Target
from .base import StageContext

_LOGGER = logging.getLogger(__name__)
_BATCH: Final = 100


async def move_deleted_aside(context: StageContext, config: TargetConfig, target: Target) -> None:
    """If the target's rules want it. Raises what stops the target."""
    if config.rules.when_deleted is not WhenDeleted.ARCHIVE or config.rules.delete_days:
        return
    if not isinstance(target, MovingTarget):
        _LOGGER.info("target %s can't move files: they stay where they are", config.target_id)
        return
    await context.catalog.write(left.note_left)
    before = now_ms() - max(1, config.rules.keep_days) * DAY
    after = 0
    while rows := await context.catalog.read(
        left.to_move_aside, config.target_id, before, after, _BATCH
    ):
        after = rows[-1].id
        for row in rows:
            await context.control.checkpoint()
            to = f"{left.ASIDE}/{row.path}"
            try:
                moved = await target.move(row.path, to)
            except TargetUnavailableError:
                raise
            except PipelineError as err:
                _LOGGER.warning("a copy stays where it is: %s (%s)", err.key, err.detail)
                continue
            if moved:  # written down one by one: what is moved must be known to be there
                await context.catalog.write(left.moved_aside, [(row.id, to)])
