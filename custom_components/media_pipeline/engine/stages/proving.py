"""Proving copies and archived files, and what follows when one is missing or wrong.

A wrong file is never used for anything and never deleted: where it can be moved it is set aside in
a folder of its own, with its path and the day, so that the right bytes get their name back.
"""

import asyncio
import errno
import logging
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from ..archive import os_error
from ..catalog import proofs, work
from ..catalog.manifests import ARCHIVE
from ..catalog.schema import assets
from ..checksums import Digest
from ..errors import CopyMismatch, CopyMissing, PipelineError, TargetUnavailableError
from ..model import DERIVED_ROLES, ORIGINAL_ROLES, WRITTEN_ROLES, Stage
from ..names import with_tag
from ..targets.base import MovingTarget, Proof, ProofRequest, Target
from ..targets.tasks import run_bounded
from .base import StageContext
from .brake import count

_LOGGER = logging.getLogger(__name__)
ASIDE = "media_pipeline_damaged"
"""Folder, at a target and in the archive, that damaged files are set aside in."""


_READERS: Final = 2
"""Files of the archive that are read at the same time: more would make a disk seek."""


async def prove_copies(
    context: StageContext, target: Target, rows: Sequence[Any], *, braked: bool = True
) -> int:
    """Prove these copies (rows of the queue) and write down the result; returns how many failed.

    Raises ReadsWrong, and notes none of them as lost, when too many failed to be believed; not
    without ``braked``.
    """
    found, wrong = await _looked_at_twice(context, target, rows)
    good = [row for row in rows if found[row.id].sha256 == _there(row)]
    await context.catalog.write(
        proofs.copies_proven, [(row.id, row.wanted_sha256, found[row.id].method) for row in good]
    )
    for row in good:
        context.progress.done(Stage.VERIFY, row.size)
    lost: dict[int, tuple[str, str | None]] = {}
    failed = [row for row in wrong if not await _is_older(context, row)]
    if braked and rows:
        # what another program wrote into says nothing of the disk
        telling = [
            row.id for row in failed if found[row.id].size is None or row.role not in WRITTEN_ROLES
        ]
        await count(context, rows[0].target_id, len(good), telling)
    for row in failed:
        key = (CopyMissing if (proof := found[row.id]).size is None else CopyMismatch).key
        aside = await _set_aside(target, row) if proof.size is not None else None
        lost[row.id] = (key, aside)
    if lost:
        new = await context.catalog.write(proofs.copies_lost, lost)
        for row in wrong:
            if row.id in new:
                _LOGGER.error("target %s: not what was sent: %s", row.target_id, new[row.id])
                context.progress.failed(Stage.VERIFY, row.id)
                tell(context, row.target_id, new[row.id])
    return len(lost)


async def _looked_at_twice(
    context: StageContext, target: Target, rows: Sequence[Any]
) -> tuple[dict[int, Proof], list[Any]]:
    """Proofs by id, and the rows that are wrong: a copy is not given up for one bad reading."""
    found = await _proofs(context, target, rows)
    wrong = [row for row in rows if found[row.id].sha256 != _there(row)]
    if wrong:
        found |= await _proofs(context, target, wrong)
    return found, [row for row in wrong if found[row.id].sha256 != _there(row)]


async def wrong_among(context: StageContext, target: Target, rows: Sequence[Any]) -> list[Any]:
    """Those of these copies that are missing or wrong; nothing is noted."""
    _, wrong = await _looked_at_twice(context, target, rows)
    return [row for row in wrong if not await _is_older(context, row)]


async def _is_older(context: StageContext, row: Any) -> bool:
    """True when a record was written anew since the queue was asked."""
    if row.role not in WRITTEN_ROLES:
        return False
    now = await context.catalog.read(work.resource, row.resource_id)
    return now is None or now.sha256 != row.wanted_sha256


def _there(row: Any) -> str:
    """SHA-256 of what must lie at the target. An encrypted copy of older bytes is a wrong one."""
    if row.stored_sha256 is None:
        return str(row.wanted_sha256)
    return str(row.stored_sha256) if row.sha256 == row.wanted_sha256 else ""


async def _proofs(context: StageContext, target: Target, rows: Sequence[Any]) -> dict[int, Proof]:
    def ours(row: Any) -> Path | None:
        """The archived file, where the copy has its very bytes."""
        path = getattr(row, "archived", None)  # not every question asks for it
        encrypted = row.stored_sha256 is not None
        return None if path is None or encrypted else context.archive.path_of(path)

    answers = await target.prove([ProofRequest(row.path, row.size, ours(row)) for row in rows])
    return {row.id: proof for row, proof in zip(rows, answers, strict=True)}


async def _set_aside(target: Target, row: Any) -> str | None:
    """Where a wrong file lies now; None when it stays where it is.

    A record or sidecar that differs is mostly one that another program wrote into; it stays.
    """
    if row.role in WRITTEN_ROLES or not isinstance(target, MovingTarget):
        return None
    for place in aside_places(row.path):
        try:
            if await target.move(row.path, place):
                return place
        except TargetUnavailableError:
            raise
        except PipelineError as err:
            _LOGGER.warning("a damaged copy stays where it is: %s (%s)", err.key, err.detail)
            return None
    return None


def aside_places(path: str) -> tuple[str, str]:
    """Where to set a file aside: a name of the day, then one of the second."""
    now = datetime.now(UTC)
    place = f"{ASIDE}/{now:%Y-%m-%d}/{path}"
    return place, with_tag(place, f"{now:%H%M%S}")


def tell(context: StageContext, place: str, reason: str) -> None:
    """Count a lost file, and report the first of its kind."""
    if (event := context.losses.note(place, reason)) is not None:
        context.report(event)


def tell_rest(context: StageContext) -> None:
    """Report the lost files that were only counted."""
    for event in context.losses.rest():
        context.report(event)


async def prove_archived(context: StageContext, row: Any, *, apple: bool = False) -> Digest | None:
    """Read an archived file (a row of resources) again; None when it is damaged (and noted so)."""
    digest = await _read(context, row, apple=apple)
    if digest is None or digest.sha256 != row.sha256:
        digest = await _read(context, row, apple=apple)  # not given up for one bad reading
    if digest is not None and digest.sha256 == row.sha256:
        await context.catalog.write(proofs.archive_proven, [row.id])
        await count(context, ARCHIVE, 1, [])
        return digest
    now = await context.catalog.read(work.resource, row.id)
    if now is None or (now.sha256, now.path) != (row.sha256, row.path):
        return None  # a newer text took its place meanwhile
    telling = digest is None or row.role not in WRITTEN_ROLES
    await count(context, ARCHIVE, 0, [row.id] if telling else [])
    await archive_lost(context, [row], missing=digest is None)
    return None


async def prove_files(context: StageContext, rows: Sequence[Any]) -> None:
    """Read archived files (rows of resources) again, a few at a time; written down in one go."""
    reads = [partial(_read, context, row, apple=False) for row in rows]
    digests = await run_bounded(reads, _READERS)
    read = list(zip(rows, digests, strict=True))
    good = [row for row, digest in read if digest is not None and digest.sha256 == row.sha256]
    if good:
        await context.catalog.write(proofs.archive_proven, [row.id for row in good])
        await count(context, ARCHIVE, len(good), [])
    for row in good:
        context.progress.done(Stage.VERIFY, row.size)
    for row, digest in read:
        if digest is not None and digest.sha256 == row.sha256:
            continue
        if await prove_archived(context, row) is not None:
            context.progress.done(Stage.VERIFY, row.size)


async def reads_well(context: StageContext, row: Any) -> bool:
    """Whether an archived file reads as it should; nothing is noted."""
    digest = await _read(context, row, apple=False)
    return digest is not None and digest.sha256 == row.sha256


async def _read(context: StageContext, row: Any, *, apple: bool) -> Digest | None:
    def read() -> Digest | None:
        try:
            return context.archive.read_back(row.path, apple=apple)
        except FileNotFoundError:
            context.archive.check()
            return None

    try:
        return await asyncio.to_thread(read)
    except OSError as err:
        await asyncio.to_thread(context.archive.check)
        if unreadable(err):
            return Digest()  # the sectors below it are bad: damaged, not missing
        raise os_error(err, context.archive.root) from err


def unreadable(err: OSError) -> bool:
    """Whether an error is about this one file and not about its disk as a whole."""
    return err.errno in {errno.EIO, errno.EISDIR, errno.ELOOP}


async def archive_lost(context: StageContext, rows: Collection[Any], *, missing: bool) -> None:
    """These files of the archive (rows of resources) are missing or wrong: note it, set aside."""
    reason = "file_vanished" if missing else "source_file_changed"
    damaged: dict[int, tuple[str, str | None]] = {}
    for row in rows:
        aside = None if missing else await _set_aside_archived(context, row)
        damaged[row.id] = (reason, aside)
        context.progress.failed(Stage.VERIFY, -row.id)  # copies and archived files count apart
        tell(context, ARCHIVE, reason)
    _LOGGER.error("%d archived files are damaged or missing: %s", len(damaged), reason)
    await context.catalog.write(proofs.archive_damaged, damaged, healers(context))


def healers(context: StageContext, *, held: bool = False) -> list[str]:
    """Targets that files may be brought back from; ``held``: also those that read wrong."""
    return [
        target_id
        for target_id, config in context.targets.configs.items()
        if not config.hand_off
        and target_id not in context.problems
        and (held or not context.targets.held(target_id))
        and context.targets.may_use(target_id)
    ]


async def _set_aside_archived(context: StageContext, row: Any) -> str | None:
    """Like ``_set_aside``; a file that another program put into the archive stays, too."""
    asset = await context.catalog.read(_asset_of, row.asset_id)
    ours = row.role in DERIVED_ROLES or (
        row.role in ORIGINAL_ROLES and row.path.startswith(f"{asset.folder}/{asset.stem}")
    )
    if not ours:
        return None
    try:
        return await asyncio.to_thread(context.archive.set_aside, row.path, aside_places(row.path))
    except OSError as err:
        _LOGGER.warning("a damaged file stays where it is: %s", err)
        return None


def _asset_of(connection: Any, asset_id: int) -> Any:
    return connection.execute(assets.select().where(assets.c.id == asset_id)).one()
