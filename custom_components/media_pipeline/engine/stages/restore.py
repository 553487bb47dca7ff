"""Restore: chosen originals, proven, into a folder; from the archive, or from the best target.

Nothing is overwritten, nothing is deleted, and the source is not asked for anything.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
import shutil
from itertools import batched
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from ..archive import move_new
from ..catalog import proofs, restoring
from ..checksums import hash_file
from ..errors import (
    CorruptError,
    FileVanished,
    LocalWriteFailed,
    PipelineError,
    ReadsWrong,
    RestoreFolderFull,
    TargetUnavailableError,
    TransientError,
)
from ..model import ResourceState, RestoreReport, RestoreRequest, Stage
from ..names import names_for
from .base import StageContext
from .bringing import bring
from .places import place_of
from .proving import healers, prove_archived, prove_copies

_LOGGER = logging.getLogger(__name__)
_PAGE: Final = 100
_PIECE: Final = 1 << 20
ARCHIVE: Final = "archive"


class Restore:
    """One restore, as a run of its own."""

    stage = Stage.VERIFY

    def __init__(self, request: RestoreRequest) -> None:
        """The folder was checked by who asks."""
        self._request = request
        self.report = RestoreReport(dry_run=request.dry_run)

    async def run(self, context: StageContext) -> None:
        """Raises RestoreFolderFull and LocalWriteFailed; what one file suffers is counted."""
        request, report = self._request, self.report
        report.matched, ids = await context.catalog.read(
            restoring.chosen_assets, request.choice, request.limit
        )
        report.assets = len(ids)
        rows: list[Any] = []
        for page in batched(ids, _PAGE, strict=False):
            rows += await context.catalog.read(restoring.files_of, page)
        left, size = len(rows), sum(row.size for row in rows)
        report.files, report.bytes = left, size
        if request.dry_run:
            for row in rows:
                report.origins[await self._origin(context, row)] += 1
            report.complete = True
            return
        for row in rows:
            context.progress.waiting(self.stage, left, size)
            await context.control.checkpoint()
            await self._one(context, row)
            left, size = left - 1, size - row.size
        context.progress.waiting(self.stage, 0, 0)
        report.complete = True

    async def _origin(self, context: StageContext, row: Any) -> str:
        """Where a file would come from, as far as the catalog knows."""
        if row.state == ResourceState.ARCHIVED:
            return ARCHIVE
        copies = await context.catalog.read(proofs.copies_of, row.id, healers(context, held=True))
        return str(copies[0].target_id) if copies else "nowhere"

    async def _one(self, context: StageContext, row: Any) -> None:
        if row.sha256 is None:
            self._failed(context, row, "not_archived")
            return
        final = await asyncio.to_thread(self._place, row)
        if final is None:
            self.report.there += 1
            context.progress.done(self.stage, row.size)
            return
        part = final.with_name(f".{token_hex(8)}.mp-part")
        try:
            origin = await self._from_archive(context, row, part)
            origin = origin or await self._from_targets(context, row, part)
            if origin is None:
                self._failed(context, row, "no_good_copy")
                return
            await asyncio.to_thread(self._publish, row, part)
        except OSError as err:
            raise LocalWriteFailed(str(err), path=str(final)) from err
        finally:
            await asyncio.to_thread(part.unlink, missing_ok=True)
        self.report.restored += 1
        self.report.restored_bytes += row.size
        self.report.origins[origin] += 1
        context.progress.done(self.stage, row.size)

    def _failed(self, context: StageContext, row: Any, reason: str) -> None:
        self.report.reasons[reason] += 1
        context.progress.failed(self.stage, row.id)

    def _names(self, row: Any) -> list[Path]:
        place = f"{row.folder}/{row.path.rpartition('/')[2]}" if row.path else place_of(row)
        return [self._request.folder / name for name in names_for(place, row.sha256)]

    def _place(self, row: Any) -> Path | None:
        """A free name; None when the very bytes lie there already. Blocking."""
        try:
            for name in self._names(row):
                if not name.exists(follow_symlinks=False):
                    name.parent.mkdir(parents=True, exist_ok=True)
                    free = shutil.disk_usage(name.parent).free
                    if free < row.size + self._request.reserve:
                        raise RestoreFolderFull(f"{free} bytes free in {self._request.folder}")
                    return name
                if self._is_it(name, row):
                    return None
        except OSError as err:
            raise LocalWriteFailed(str(err), path=str(self._request.folder)) from err
        raise LocalWriteFailed("all names are taken", path=str(self._request.folder))

    @staticmethod
    def _is_it(file: Path, row: Any) -> bool:
        if file.is_symlink() or not file.is_file() or file.stat().st_size != row.size:
            return False
        return hash_file(file).sha256 == str(row.sha256)

    async def _from_archive(self, context: StageContext, row: Any, part: Path) -> str | None:
        if row.state != ResourceState.ARCHIVED or row.path is None:
            return None
        source = context.archive.path_of(row.path)
        if await asyncio.to_thread(_copy, source, part, row.sha256):
            context.progress.moved(row.size)
            return ARCHIVE
        try:
            await prove_archived(context, row)  # notes it when it is damaged
        except PipelineError as err:
            _LOGGER.warning("the archive can't be read: %s (%s)", err.key, err.detail)
        return None

    async def _from_targets(self, context: StageContext, row: Any, part: Path) -> str | None:
        for copy in await context.catalog.read(
            proofs.copies_of, row.id, healers(context, held=True)
        ):
            if not context.targets.may_use(copy.target_id):
                continue
            try:
                target = await context.targets.get(copy.target_id)
                try:
                    await bring(target, copy, part, row.filename, context.progress.moved)
                except LocalWriteFailed:
                    raise
                except (CorruptError, FileVanished) as err:
                    _LOGGER.warning("a copy is no good: %s (%s)", err.key, err.detail)
                    await prove_copies(context, target, [copy])
                    continue
            except LocalWriteFailed:
                raise
            except ReadsWrong:  # the next file may be whole, and is proven on its way
                continue
            except TargetUnavailableError as err:
                context.problem(copy.target_id, err)
                await context.targets.failed(copy.target_id, err)
                continue
            except TransientError as err:
                _LOGGER.warning("a copy can't be fetched now: %s (%s)", err.key, err.detail)
                continue
            return str(copy.target_id)
        return None

    def _publish(self, row: Any, part: Path) -> None:
        if row.captured is not None:
            # a negative or huge time is a fact about the photo that some file systems refuse
            with contextlib.suppress(OSError, OverflowError):
                os.utime(part, (row.captured / 1000, row.captured / 1000))
        for name in self._names(row):
            if move_new(part, name):
                return
        raise LocalWriteFailed("all names are taken", path=str(self._request.folder))


def _copy(source: Path, part: Path, sha256: str) -> bool:
    """Copy a file, flush it, and say whether its bytes are the right ones. Blocking.

    Raises OSError when ``part`` can't be written; a source that can't be read is just not right.
    """
    digest = hashlib.sha256()
    try:
        file = source.open("rb")
    except OSError:
        return False
    with file, part.open("xb") as out:
        while True:
            try:
                piece = file.read(_PIECE)
            except OSError:
                break
            if not piece:
                break
            digest.update(piece)
            out.write(piece)
        out.flush()
        os.fsync(out.fileno())
    if digest.hexdigest() == sha256:
        return True
    part.unlink()
    return False
