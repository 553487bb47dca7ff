"""A glance at a place, once a day: is everything there, as long as it should be?

It proves nothing, but it costs one listing, and finds a deleted folder or an emptied disk long
before every proof has come round. What it misses is looked at properly before it is believed.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import batched
from pathlib import Path
from typing import Any, Final

from ..archive import Archive, os_error
from ..catalog import scrub
from ..catalog.manifests import ARCHIVE
from ..catalog.store import get_values, set_values
from ..clock import DAY, now_ms
from ..names import one_form
from ..targets.base import Target
from .base import StageContext
from .brake import count, too_many
from .proving import archive_lost, prove_archived, prove_copies

_LOGGER = logging.getLogger(__name__)
_GLANCE: Final = "glance/"
_EVERY: Final = DAY - DAY // 8  # a nightly run is not always at the same minute
_PAGE: Final = 5000
_BATCH: Final = 64


async def glance_at_target(context: StageContext, target_id: str, target: Target) -> None:
    """Prove again every copy that is not listed as it should be. Raises what the target raises."""
    if not await _is_due(context, target_id, ""):
        return
    there = {hash((one_form(file.path), file.size)) async for file in target.listing()}
    missing, known = await _missing(context, scrub.should_lie_at, there, target_id)
    # few of many are single files, whatever share they have of those that are looked at now
    braked = too_many(len(missing), known)
    for ids in batched(missing, _BATCH, strict=False):
        await context.control.checkpoint()
        rows = await context.catalog.read(scrub.copies_by_id, ids)
        if rows:
            await prove_copies(context, target, rows, braked=braked)
    await _note(context, target_id, "")


async def glance_at_archive(context: StageContext) -> None:
    """Note every archived file that is gone. Raises TargetUnavailableError kinds."""
    archive = context.archive
    device = archive.domain
    if not await _is_due(context, ARCHIVE, device):
        return
    there = await asyncio.to_thread(_listed, archive)
    missing, known = await _missing(context, scrub.should_lie_in_archive, there)
    # a disk that was never looked at is a new one, which its owner means to be filled
    braked = await _device(context, ARCHIVE) == device and too_many(len(missing), known)
    for ids in batched(missing, _BATCH, strict=False):
        await context.control.checkpoint()
        rows = await context.catalog.read(scrub.resources_by_id, ids)
        gone = await asyncio.to_thread(_gone, archive, rows)
        if gone:
            if braked:
                await count(context, ARCHIVE, 0, [row.id for row in gone])
            await archive_lost(context, gone, missing=True)
        for row in set(rows).difference(gone):  # there, but of another length
            await prove_archived(context, row)
    await _note(context, ARCHIVE, device)


async def _missing(
    context: StageContext, ask: Callable[..., Sequence[Any]], there: set[int], *place: str
) -> tuple[list[int], int]:
    """Ids of what should lie there and was not listed so, and how many should lie there."""
    missing: list[int] = []
    after = known = 0
    while rows := await context.catalog.read(ask, *place, after, _PAGE):
        missing += [row.id for row in rows if hash((one_form(row.path), row.size)) not in there]
        after = rows[-1].id
        known += len(rows)
    return missing, known


async def _device(context: StageContext, place: str) -> str:
    """The disk that the last glance at a place saw; empty when there was none."""
    stored = (await context.catalog.read(get_values, _GLANCE)).get(place, "")
    return stored.partition(" ")[2]


async def _is_due(context: StageContext, place: str, device: str) -> bool:
    """Once a day, when everything is to be proven, and when another disk is there than before."""
    if context.prove_all:
        return True
    stored = (await context.catalog.read(get_values, _GLANCE)).get(place, "")
    when, _, where = stored.partition(" ")
    return not when.isdigit() or where != device or int(when) < now_ms() - _EVERY


async def _note(context: StageContext, place: str, device: str) -> None:
    await context.catalog.write(set_values, _GLANCE, {place: f"{now_ms()} {device}".strip()})


def _listed(archive: Archive) -> set[int]:
    """Hashes of (path, size) of all files; numbers, because a million paths weigh."""
    there: set[int] = set()
    waiting = [""]
    try:
        while waiting:
            folder = waiting.pop()
            # a folder of the system, such as lost+found; files of ours in it are looked at singly
            with suppress(PermissionError), os.scandir(archive.path_of(folder)) as entries:
                for entry in entries:
                    path = f"{folder}/{entry.name}".lstrip("/")
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(path)
                    else:
                        size = entry.stat(follow_symlinks=False).st_size
                        there.add(hash((one_form(path), size)))
    except OSError as err:
        raise os_error(err, archive.root) from err
    return there


def _gone(archive: Archive, rows: Sequence[Any]) -> list[Any]:
    """Those whose file really is not there."""
    try:
        gone = [row for row in rows if not _is_there(archive.path_of(row.path))]
    except OSError as err:
        raise os_error(err, archive.root) from err
    archive.check()  # a mount that vanished must not look like files that are gone
    return gone


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError, NotADirectoryError:
        return False
    return True
