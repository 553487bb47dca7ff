"""Adopt as a part of a run: list, walk, read, match; then, unless it is a dry run, take over.

It is ingest with other hands, so it shows as that stage. Cancelling keeps what is done: what was
read is remembered, what was taken over is archived.
"""

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ..catalog import found as queries
from ..catalog import results, store
from ..catalog.found import Found, Wanted
from ..errors import AdoptDatabaseUnusable, AdoptFolderEmpty, AdoptOtherFileSystem, PipelineError
from ..model import Stage
from ..stages.base import StageContext
from ..stages.ingest import SOURCE, Ingest
from ..stages.records import save_records
from ..stages.undo import resolve_unknown
from . import kei
from .layouts import KEI, tool_of
from .match import Match, Matches, Wishes, match
from .reading import Reader
from .report import FileClass, Report, Request, Way
from .taking import Taken, Taker
from .tree import Passed, TreeFile, in_foreign_place, stat_file, walk
from .ways import way_for

_BATCH: Final = 2000
_TAKERS: Final = 4


class Adopt:
    """One look at a tree; ``report`` is filled while it goes on."""

    stage = Stage.INGEST

    def __init__(self, request: Request, actor: str | None) -> None:
        """``request.root`` is a real path that was checked."""
        self._request = request
        self._actor = actor
        self.report = Report(dry_run=request.dry_run, mode=request.mode)
        self.error: PipelineError | None = None
        """What kept the source from being listed; also a problem of the run."""
        self._candidates: list[TreeFile] = []
        self._wishes = Wishes(())
        self._not_needed: list[TreeFile] = []
        self._archived_sizes: frozenset[int] = frozenset()
        self._archived_paths: set[str] = set()

    async def run(self, context: StageContext) -> None:
        """Raises the Adopt… errors and what the archive raises."""
        if not await self._list(context):
            return
        catalog = context.catalog
        self._wishes = Wishes(await catalog.read(queries.wanted_files))
        archived = await catalog.read(queries.archived_bytes)
        self._archived_sizes = frozenset(size for size, _ in archived)
        self._archived_paths = await catalog.read(queries.archived_paths)
        await self._walk(context)
        await self._recall(context, archived)
        outcomes = await Reader(context, self._wishes, self.report).read(self._candidates)
        read: dict[str, Found] = {}
        for file in self._candidates:
            outcome = outcomes[file.path]
            if not isinstance(outcome, Found):
                self._put(outcome, file)
            elif (outcome.size, outcome.checksum) in self._wishes.by_bytes:
                read[file.path] = outcome
            elif (outcome.size, outcome.sha256) in archived:
                self._put(FileClass.ARCHIVED, file)
            else:
                self._put(FileClass.CHANGED, file)
        matches = match(self._wishes, read, self._candidates, context.archive.root.resolve())
        await self._judge(context, matches)
        if not self._request.dry_run:
            await self._take_all(context, matches.taken)
        self.report.complete = True

    async def _list(self, context: StageContext) -> bool:
        """What the source holds now; without it nothing can be said. False when it fails."""
        try:
            await context.source.open()
            await resolve_unknown(context.catalog, context.source)
            await Ingest().list_all(context)
        except PipelineError as err:
            context.problem(SOURCE, err)
            self.error = err
            return False
        return True

    # --- the tree ---------------------------------------------------------------------------------

    async def _walk(self, context: StageContext) -> None:
        archive_id = context.archive.identity.marker_id if context.archive.identity else None
        root = context.archive.root.resolve()
        steps = walk(self._request.root, archive_id)
        databases = [self._request.kei_database] if self._request.kei_database else []

        def step() -> bool:
            """Some more files; False when there are none."""
            batch = list(itertools.islice(steps, _BATCH))
            for found in batch:
                if isinstance(found, Passed):
                    self.report.put(found.kind, self._shown(found.path), found.size)
                    continue
                self._sort(found, root)
                if kei.looks_like_database(found.path):
                    databases.append(Path(found.path))
            return bool(batch)

        while await asyncio.to_thread(step):
            await context.control.checkpoint()
        if not (self.report.total() or self._candidates or self._not_needed):
            raise AdoptFolderEmpty(f"{self._request.root} is empty", path=str(self._request.root))
        for database in dict.fromkeys(databases):
            await self._ask_kei(database, root, archive_id)

    async def _recall(self, context: StageContext, archived: set[tuple[int, str]]) -> None:
        """Files as large as archived ones: what was read of them before tells whether they are."""
        remembered = await context.catalog.read(
            queries.read_before, [file.path for file in self._not_needed]
        )
        for file in self._not_needed:
            known = remembered.get(file.path)
            same = (
                known is not None
                and (known.size, known.mtime_ns) == (file.size, file.mtime_ns)
                and (known.size, known.sha256) in archived
            )
            self._put(FileClass.ARCHIVED if same else FileClass.NOT_READ, file)

    def _sort(self, file: TreeFile, archive_root: Path, tool: str | None = None) -> None:
        """Decide by what the file system says; what may be wanted is a candidate."""
        self.report.tools[tool or tool_of(self._shown(file.path))] += 1
        path = Path(file.path)
        inside = path.is_relative_to(archive_root)
        if inside and path.relative_to(archive_root).as_posix() in self._archived_paths:
            self._put(FileClass.ARCHIVED, file)
        elif file.size in self._wishes.sizes:
            self._candidates.append(file)
        elif file.size in self._wishes.unproven_sizes:
            self._put(FileClass.UNPROVEN, file)
        elif file.size in self._archived_sizes:
            self._not_needed.append(file)
        elif self._wishes.knows_name(path.name):
            self._put(FileClass.CHANGED, file)
        else:
            self._put(FileClass.OTHER, file)

    async def _ask_kei(self, database: Path, archive_root: Path, archive_id: str | None) -> None:
        """Files that kei knows of: the tree's are met anyway, those elsewhere are looked at too."""
        counts = dict.fromkeys(("files", "outside", "missing", "not_allowed"), 0)
        seen = {file.path for file in self._candidates}

        def look() -> list[TreeFile]:
            outside = []
            for path in kei.local_paths(database):
                counts["files"] += 1
                real = path.resolve()
                if real.is_relative_to(self._request.root):
                    continue
                file = stat_file(real)
                if file is None:
                    counts["missing"] += 1
                elif not self._request.may_read(real) or in_foreign_place(real, archive_id):
                    counts["not_allowed"] += 1
                elif file.path not in seen:
                    counts["outside"] += 1
                    seen.add(file.path)
                    outside.append(file)
            return outside

        try:
            found = await asyncio.to_thread(look)
        except AdoptDatabaseUnusable:
            if database == self._request.kei_database:
                raise
            return  # a database of something else
        for file in found:
            self._sort(file, archive_root, KEI)
        for name, count in counts.items():
            self.report.kei[name] = self.report.kei.get(name, 0) + count

    # --- what serves what -------------------------------------------------------------------------

    async def _judge(self, context: StageContext, matches: Matches) -> None:
        report = self.report
        for file in matches.spare:
            self._put(FileClass.SPARE, file)
        served: set[int] = set()
        for item in matches.taken:
            self._put(FileClass.MATCHED, item.file)
            for wanted in item.wanted:
                served.add(wanted.id)
                if self._request.dry_run:
                    report.adopted.add(wanted.size)
        for wanted in itertools.chain(*self._wishes.by_bytes.values()):
            if not self._request.dry_run or wanted.id not in served:
                report.left.add(wanted.size)
        for wanted in self._wishes.unproven:
            report.left.add(wanted.size)
            report.unproven.add(wanted.size)
        await self._choose_way(context, matches)

    async def _choose_way(self, context: StageContext, matches: Matches) -> None:
        """Inside of the archive there is nothing to choose; the first file outside tells all."""
        root = context.archive.root.resolve()
        if not matches.taken:
            return
        outside = (
            Path(item.file.path)
            for item in matches.taken
            if not Path(item.file.path).is_relative_to(root)
        )
        sample = next(outside, Path(matches.taken[0].file.path))
        self.report.way = await asyncio.to_thread(
            way_for, context.archive, sample, self._request.mode
        )
        if self.report.way is Way.NONE and not self._request.dry_run:
            raise AdoptOtherFileSystem("a link can't be made", path=str(self._request.root))

    # --- taking over ------------------------------------------------------------------------------

    async def _take_all(self, context: StageContext, taken: list[Match]) -> None:
        left = sum(wanted.size for item in taken for wanted in item.wanted)
        context.progress.waiting(Stage.INGEST, sum(len(item.wanted) for item in taken), left)
        taker = Taker(context.archive, self._request.mode)
        work = iter(taken)
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(_TAKERS):
                    workers.create_task(self._take_some(context, taker, work))
        finally:
            await asyncio.shield(self._write_down(context))
        await save_records(context)

    async def _take_some(self, context: StageContext, taker: Taker, work: Iterator[Match]) -> None:
        for item in work:
            await context.control.checkpoint()
            rows = await context.catalog.read(
                queries.waiting_resources, [wanted.id for wanted in item.wanted]
            )
            served = 0
            for wanted in item.wanted:
                if (row := rows.get(wanted.id)) is None:
                    continue  # the source has a newer version by now
                answer = await asyncio.to_thread(taker.take, item, row, first=not served)
                if not isinstance(answer, Taken):
                    await self._failed(context, item, answer, served)
                    break
                served += 1
                await self._archived(context, wanted, answer)
            if served == len(rows):
                kind = FileClass.ADOPTED if served else FileClass.SPARE
                self._move(FileClass.MATCHED, kind, item.file)

    async def _archived(self, context: StageContext, wanted: Wanted, answer: Taken) -> None:
        file = results.ArchivedFile(
            wanted.id, answer.path, answer.sha256, wanted.size, answer.container
        )
        await context.catalog.write(results.archived, [file])
        self.report.adopted.add(wanted.size)
        self.report.left.drop(wanted.size)
        context.progress.done(Stage.INGEST, wanted.size, wanted.id)

    async def _failed(
        self, context: StageContext, item: Match, kind: FileClass, served: int
    ) -> None:
        """What is left of its wishes stays with the next run."""
        if kind is FileClass.CHANGED:
            await context.catalog.write(queries.forget, item.file.path)
        self._move(FileClass.MATCHED, FileClass.ADOPTED if served else kind, item.file)

    async def _write_down(self, context: StageContext) -> None:
        await context.catalog.write(
            store.write_journal,
            "adopted",
            actor=self._actor,
            detail={
                "files": self.report.adopted.files,
                "bytes": self.report.adopted.bytes,
                "way": self.report.way,
            },
        )

    # --- the report -------------------------------------------------------------------------------

    def _shown(self, path: str) -> str:
        """Relative to the tree, or as it is for a file elsewhere."""
        return path.removeprefix(f"{self._request.root}/")

    def _put(self, kind: FileClass, file: TreeFile) -> None:
        self.report.put(kind, self._shown(file.path), file.size)

    def _move(self, old: FileClass, new: FileClass, file: TreeFile) -> None:
        self.report.files[old].drop(file.size)
        self._put(new, file)
