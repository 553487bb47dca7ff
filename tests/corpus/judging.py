"""What becomes of one file: walked, read and made smaller in a child, as compress would do it."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from custom_components.media_pipeline.engine.errors import (
    MediaWorkerCrashed,
    PipelineError,
    TargetFull,
)
from custom_components.media_pipeline.engine.media.container import check_container
from custom_components.media_pipeline.engine.media.jobs import (
    CompressJob,
    CompressResult,
    MediaKind,
    PhotoPreset,
)
from custom_components.media_pipeline.engine.media.pool import MediaPool

_FILMS = frozenset({"mov", "mp4"})
_NO_MEDIA = frozenset({"plist", "unknown"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """One file: ``outcome`` is ``compressed``, ``kept``, ``refused`` or ``crashed``."""

    path: Path
    outcome: str
    reason: str
    size: int = 0
    new_size: int = 0
    """Bytes of what would be sent; the file's own size when nothing smaller was made."""


@dataclass(slots=True)
class Table:
    """All verdicts of a run."""

    verdicts: list[Verdict] = field(default_factory=list)

    def count(self, outcome: str) -> int:
        """How many files ended like this."""
        return sum(one.outcome == outcome for one in self.verdicts)

    def lines(self) -> Iterator[str]:
        """The table as text: outcome, reason, files, bytes before and after."""
        groups = Counter((one.outcome, one.reason) for one in self.verdicts)
        yield f"{'outcome':<11}{'reason':<24}{'files':>8}{'MB before':>12}{'MB after':>12}"
        for (outcome, reason), files in sorted(groups.items()):
            like = [one for one in self.verdicts if (one.outcome, one.reason) == (outcome, reason)]
            before, after = sum(one.size for one in like), sum(one.new_size for one in like)
            yield f"{outcome:<11}{reason:<24}{files:>8}{before / 1e6:>12.2f}{after / 1e6:>12.2f}"
        ends = ("kept", "compressed", "refused", "crashed")
        yield ", ".join(f"{end} {self.count(end)}" for end in ends)


async def judge_all(
    folder: Path, pool: MediaPool, *, parallel: int, preset: PhotoPreset | None = None
) -> Table:
    """Judge every file below a folder; results lie in a temporary place and are removed."""
    table, room = Table(), asyncio.Semaphore(parallel)

    async def one(path: Path, scratch: Path) -> None:
        async with room:
            table.verdicts.append(await judge(path, scratch, pool, preset))

    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    with tempfile.TemporaryDirectory() as place:
        async with asyncio.TaskGroup() as group:
            for number, path in enumerate(paths):
                group.create_task(one(path, Path(place) / str(number)))
    return table


async def judge(path: Path, scratch: Path, pool: MediaPool, preset: PhotoPreset | None) -> Verdict:
    """Judge one file; ``scratch`` is a folder of its own that is made and emptied here."""
    size = path.stat().st_size
    try:
        container = await asyncio.to_thread(check_container, path, path.suffix)
        if container in _NO_MEDIA:
            return Verdict(path, "kept", "no_media", size, size)
        await pool.probe(path)
        result = await _compress(path, container, scratch, pool, preset)
    except TargetFull:  # says nothing of the file
        raise
    except MediaWorkerCrashed as err:
        return Verdict(path, "crashed", err.key, size)
    except PipelineError as err:  # limits of time and memory that did their work, too
        return Verdict(path, "refused", err.key, size)
    if result.path is None:
        return Verdict(path, "kept", result.reason, size, size)
    try:
        await asyncio.to_thread(check_container, result.path, result.suffix)
    except PipelineError:
        return Verdict(path, "crashed", "broken_result", size)
    finally:
        result.path.unlink()
    return Verdict(path, "compressed", container, size, result.size)


async def _compress(
    path: Path, container: str, scratch: Path, pool: MediaPool, preset: PhotoPreset | None
) -> CompressResult:
    kind: MediaKind = "video" if container in _FILMS else "photo"
    scratch.mkdir()
    job = CompressJob(path, scratch / path.name, kind, preset=preset if kind == "photo" else None)
    return await pool.compress(job)
