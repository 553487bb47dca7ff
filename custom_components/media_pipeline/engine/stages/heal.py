"""Mending: a damaged file of the archive is brought back from a proven copy, a lost copy sent anew.

Always from what was just proven, never the other way round: what is brought back is hashed and
walked before it gets its name, and what is sent is hashed while it is read.
"""

import asyncio
import contextlib
import logging
import os
from functools import partial
from pathlib import Path
from typing import Any, Final

from ..archive import Archive, os_error
from ..catalog import proofs
from ..errors import (
    CorruptError,
    FileVanished,
    LocalWriteFailed,
    NameRefused,
    TargetUnavailableError,
    TransientError,
)
from ..model import Stage
from ..targets.tasks import run_bounded
from .base import StageContext
from .bringing import ArchiveTrouble, bring, make_room
from .proving import healers, prove_copies

_LOGGER = logging.getLogger(__name__)
_BATCH: Final = 2000
"""Asked for at once: in a lost archive the question costs as much as many answers."""
_PARALLEL: Final = 4
_PART: Final = "heal-"


async def heal_archive(context: StageContext) -> int:
    """Bring back every damaged file that a target has proven; returns how many.

    Newest photos first, a few at a time, so that a whole archive comes back at the targets' pace.
    Raises TargetUnavailableError kinds for the archive; a target that fails is left out.
    """
    await asyncio.to_thread(_sweep, context.archive)
    healed = 0
    tried: list[int] = []
    while True:
        await context.control.checkpoint()
        rows = await context.catalog.read(proofs.to_heal, healers(context), _BATCH, tried)
        if not rows:
            break
        done = await run_bounded([partial(_heal_one, context, row) for row in rows], _PARALLEL)
        healed += sum(done)
        tried += [row.id for row, ok in zip(rows, done, strict=True) if not ok]
    lost = await context.catalog.write(proofs.give_up, every_healer(context))
    if healed:
        _LOGGER.warning("%d damaged files of the archive were brought back from targets", healed)
    if lost:
        _LOGGER.error("%d files of the archive are lost: no copy and no source has them", lost)
    return healed


def _sweep(archive: Archive) -> None:
    """Remove what a power cut left half done; a run is alone, so nobody works on these."""
    archive.check()
    try:
        for part in archive.part_of("").glob(f"{_PART}*"):
            part.unlink(missing_ok=True)
    except OSError as err:
        raise os_error(err, archive.root) from err


def every_healer(context: StageContext) -> list[str]:
    """Also those that can't be reached now: their copies are not given up."""
    return [key for key, config in context.targets.configs.items() if not config.hand_off]


async def _heal_one(context: StageContext, row: Any) -> bool:
    await context.control.checkpoint()
    for copy in await context.catalog.read(proofs.copies_of, row.id, healers(context)):
        try:
            target = await context.targets.get(copy.target_id)
            part = context.archive.part_of(f"{_PART}{row.id}")
            await make_room(context.archive, row.size)
            await bring(target, copy, part, row.filename, context.progress.moved)
        except (FileVanished, CorruptError) as err:
            _LOGGER.warning("a copy can't be brought back: %s (%s)", err.key, err.detail)
            await _doubt(context, copy)
            continue
        except LocalWriteFailed:
            await asyncio.to_thread(context.archive.check)
            raise
        except ArchiveTrouble as err:
            raise err.cause from err
        except TargetUnavailableError as err:
            context.problem(copy.target_id, err)
            await context.targets.failed(copy.target_id, err)
            continue
        except (TransientError, NameRefused) as err:
            _LOGGER.warning("a copy can't be brought back now: %s (%s)", err.key, err.detail)
            continue
        path = await asyncio.to_thread(_publish, context, part, row, copy)
        if await context.catalog.write(proofs.archive_healed, row.id, copy.target_id, path):
            context.progress.done(Stage.VERIFY, row.size, -row.id)
        return True
    return False


async def _doubt(context: StageContext, copy: Any) -> None:
    """A copy that could not be brought back well is proven again at once."""
    try:
        target = await context.targets.get(copy.target_id)
        await prove_copies(context, target, [copy])
    except TargetUnavailableError as err:
        context.problem(copy.target_id, err)
        await context.targets.failed(copy.target_id, err)


def _publish(context: StageContext, part: Path, row: Any, copy: Any) -> str:
    if row.captured is not None:
        # a negative or huge time is a fact about the photo that some file systems refuse
        with contextlib.suppress(OSError, OverflowError):
            os.utime(part, (row.captured / 1000, row.captured / 1000))
    return context.archive.publish(part, row.path or copy.path, row.sha256)
