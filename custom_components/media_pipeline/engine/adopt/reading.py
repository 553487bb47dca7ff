"""Reading what may be wanted: once, several files at a time, remembered for the next look."""

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from ..catalog import found as queries
from ..catalog.found import Found
from ..checksums import Digest
from ..errors import BrokenContainer, ErrorBody, FileVanished
from ..media.container import check_container
from ..model import Stage
from ..names import split_name
from ..stages.base import StageContext
from .match import Wishes
from .report import FileClass, Report
from .tree import TreeFile, stat_file

# Hashing lets other threads run; a disk serves a few readers well and many badly.
_READERS: Final = 4
_PIECE: Final = 1 << 20
_SAVE_EVERY: Final = 64
_SETTLED_NS: Final = 10 * 10**9

type Outcome = Found | FileClass
"""What was read, or why a file ends here."""


class Reader:
    """Reads one tree's candidates."""

    def __init__(self, context: StageContext, wishes: Wishes, report: Report) -> None:
        """Results are kept in the catalog as they come: a restart reads only the rest."""
        self._context = context
        self._wishes = wishes
        self._report = report
        self._unsaved: list[Found] = []
        self._stop = threading.Event()
        self._left = self._left_bytes = 0

    async def read(self, files: Sequence[TreeFile]) -> dict[str, Outcome]:
        """What is known of these files now, by path."""
        remembered = await self._context.catalog.read(
            queries.read_before, [file.path for file in files]
        )
        result: dict[str, Outcome] = {}
        waiting: dict[tuple[int, int], list[TreeFile]] = defaultdict(list)
        now = time.time_ns()
        for file in files:
            known = remembered.get(file.path)
            if known is not None and (known.size, known.mtime_ns) == (file.size, file.mtime_ns):
                result[file.path] = known
            elif 0 <= now - file.mtime_ns < _SETTLED_NS:
                result[file.path] = FileClass.CHANGING
            else:
                waiting[file.inode].append(file)
        self._left = len(waiting)
        self._left_bytes = sum(paths[0].size for paths in waiting.values())
        self._tell()
        groups = iter(list(waiting.values()))
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(_READERS):
                    workers.create_task(self._work(groups, result))
        finally:
            self._stop.set()
            await asyncio.shield(self._save())
        return result

    async def _work(self, groups: Iterator[list[TreeFile]], result: dict[str, Outcome]) -> None:
        for paths in groups:
            await self._context.control.checkpoint()
            outcome = await asyncio.to_thread(self._read_one, paths[0])
            for file in paths:
                if isinstance(outcome, Found):
                    found = replace(outcome, path=file.path)
                    result[file.path] = found
                    self._unsaved.append(found)
                else:
                    result[file.path] = outcome
            size = paths[0].size
            self._report.read.add(size)
            self._context.progress.moved(size)
            self._left, self._left_bytes = self._left - 1, self._left_bytes - size
            self._tell()
            if len(self._unsaved) >= _SAVE_EVERY:
                await self._save()

    def _tell(self) -> None:
        self._context.progress.waiting(Stage.INGEST, self._left, self._left_bytes)

    async def _save(self) -> None:
        files, self._unsaved = self._unsaved, []
        await self._context.catalog.write(queries.remember, files)

    def _read_one(self, file: TreeFile) -> Outcome:
        """Hash a file; the wanted bytes must be whole besides. Blocking."""
        path = Path(file.path)
        try:
            digest = self._hash(path)
            if digest is None or stat_file(path) != file:
                return FileClass.CHANGING
            found = Found(file.path, file.size, file.mtime_ns, digest.apple, digest.sha256)
            if (name := self._wishes.name_for(found)) is not None:
                check_container(path, split_name(name)[1])
        except BrokenContainer, ErrorBody:
            return FileClass.BROKEN
        except OSError, FileVanished:
            return FileClass.UNREADABLE
        return found

    def _hash(self, path: Path) -> Digest | None:
        """Both checksums in one pass; None when nobody waits for them any more."""
        digest = Digest()
        with path.open("rb", buffering=0) as file:
            buffer = bytearray(_PIECE)
            view = memoryview(buffer)
            while count := file.readinto(buffer):
                if self._stop.is_set():
                    return None
                digest.update(view[:count])
        return digest
