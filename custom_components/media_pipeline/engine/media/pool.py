"""The media pool: makes smaller copies and reads media facts, each file in its own child process.

A photo that crashes a decoder, a film that never ends or one that eats all memory costs that file
and nothing else. The engine's event loop never decodes anything itself.
"""

import asyncio
import errno
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import (
    BrokenContainer,
    EngineStopped,
    ErrorBody,
    FileVanished,
    MediaUnreadable,
    MediaWorkerCrashed,
    MediaWorkerMemory,
    MediaWorkerTimeout,
    PipelineError,
    TargetFull,
)
from ..model import Role
from .child import Terms, run_child
from .forks import Forks
from .jobs import (
    CompressJob,
    CompressResult,
    DeriveJob,
    PhotoPreset,
    ProbeResult,
    Reason,
    VideoPreset,
)
from .output import SPARE, final_path, publish, remove_partial, room_for, size_of
from .pace import Hold, Pace

_ERRORS: dict[str, type[PipelineError]] = {
    error.key: error
    for error in (
        BrokenContainer,
        ErrorBody,
        FileVanished,
        MediaUnreadable,
        MediaWorkerMemory,
        TargetFull,
    )
}
_PHOTO_MEMORY = 3 << 29
_PREVIEW_ROOM = 30_000_000
_LARGEST_PREVIEW = 16 << 20
_PROBE_ROOM = 8_000_000  # a file's part of the time for many
_SECONDS_PER_MB = {
    "probe": 1.0,
    "probe_many": 1.0,
    "photo": 20.0,
    "video": 120.0,
    "motion": 10.0,
    "share": 20.0,
    "preview": 1.0,
}


@dataclass(frozen=True, slots=True)
class _Answer:
    """A child's answer to a job that it did."""

    result: dict[str, Any]
    cpu_seconds: float
    peak_rss: int


class MediaPool:
    """Runs as many compressions at the same time as its pace allows, and one probe beside them.

    ``workers`` is the most at a time, by default one for each processor: children have the lowest
    priority. ``pace`` is one that also minds the machine. ``timeout`` is how many seconds a
    job may go without progress; the limit for the whole job grows with the file's size.
    ``memory_bytes`` limits a child's address space. ``server`` is the command of another
    one that children are forked from, for tests.
    """

    def __init__(
        self,
        workers: int | None = None,
        timeout: float = 300.0,
        memory_bytes: int = 3 << 30,
        *,
        server: tuple[str, ...] | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._processors = os.process_cpu_count() or 1
        self.pace = pace or Pace(workers)
        self._probing = asyncio.Semaphore(1)
        self._previewing = asyncio.Semaphore(2)
        self._timeout = timeout
        self._memory = memory_bytes
        self._forks = Forks(server)
        self._running: set[asyncio.Task[dict[str, Any]]] = set()
        self._closed = False

    async def compress(
        self, job: CompressJob, progress: Callable[[float], None] = lambda _: None
    ) -> CompressResult:
        """Make a smaller copy; the source is never changed. ``progress`` hears the part done.

        The copy appears at the destination complete or not at all, with the source's modification
        time and stem; its ending is the destination's when that fits the content. Raises
        BrokenContainer, ErrorBody, FileVanished, MediaUnreadable, MediaWorkerCrashed,
        MediaWorkerTimeout, MediaWorkerMemory, TargetFull, or EngineStopped after ``close``.
        """
        if job.role == Role.LIVE_VIDEO:
            size = await asyncio.to_thread(size_of, job.source)
            return _left_alone(job.source, size, Reason.LIVE_VIDEO)
        async with self.pace.turn():
            return await self._compress(job, progress)

    async def probe(self, path: Path) -> ProbeResult:
        """Return what a file says about itself; raises like ``compress``."""
        async with self._probing:
            size = await asyncio.to_thread(size_of, path)
            answer = await self._run({"job": "probe", "source": str(path)}, size, 1 << 20)
        return ProbeResult(**answer.result)

    async def probe_many(self, paths: Sequence[Path]) -> list[ProbeResult | PipelineError]:
        """Like ``probe`` for many files in one child; what went wrong stands in a file's place.

        When the child does not come back, each file gets its own one. Raises EngineStopped.
        """
        order = {"job": "probe_many", "sources": [str(path) for path in paths]}
        try:
            async with self._probing:
                answer = await self._run(order, _PROBE_ROOM * len(paths), 1 << 20)
            items = answer.result["items"]
            return [_item(item) for _, item in zip(paths, items, strict=True)]
        except MediaWorkerCrashed, MediaWorkerMemory, MediaWorkerTimeout:
            return [await self._probe_alone(path) for path in paths]

    async def _probe_alone(self, path: Path) -> ProbeResult | PipelineError:
        try:
            return await self.probe(path)
        except EngineStopped:
            raise
        except PipelineError as err:
            return err

    async def preview(self, source: Path, destination: Path, side: int) -> None:
        """Make a small JPEG (see ``preview``) of a photo or film; raises like ``compress``.

        Waits for no turn and never rests, because somebody looks at an empty place.
        """
        partial = destination.with_name(f".{destination.name}.mp-part")
        order = {"job": "preview", "source": str(source), "partial": str(partial), "side": side}
        async with self._previewing:
            await asyncio.to_thread(size_of, source)
            try:
                await self._run(order, _PREVIEW_ROOM, _LARGEST_PREVIEW)
                await asyncio.to_thread(partial.replace, destination)
            finally:
                await asyncio.shield(asyncio.to_thread(remove_partial, partial))

    async def close(self) -> None:
        """Stop all children; jobs under way and later ones end with EngineStopped."""
        self._closed = True
        await self.pace.close()
        self.pace.lift_all()
        tasks = list(self._running)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._forks.close()

    async def derive(self, job: DeriveJob) -> CompressResult:
        """Make a motion photo or a share copy; raises like ``compress``."""
        order = {
            "job": job.kind,
            "source": str(job.source),
            "film": str(job.film) if job.film else None,
            "preset": asdict(job.preset),
        }
        async with self.pace.turn():
            # a HEIC becomes a JPEG that may be larger
            beside = job.film or job.source
            room = await asyncio.to_thread(size_of, beside)
            return await self._make(order, job.source, job.destination, room)

    async def _compress(
        self, job: CompressJob, progress: Callable[[float], None]
    ) -> CompressResult:
        final, container = final_path(job)
        preset = job.preset or (PhotoPreset() if job.kind == "photo" else VideoPreset())
        order = {
            "job": job.kind,
            "source": str(job.source),
            "min_saving": job.min_saving,
            "preset": asdict(preset),
            "captions": asdict(job.captions) if job.captions else None,
            "format": container,
        }
        return await self._make(order, job.source, final, 0, progress)

    async def _make(
        self,
        order: dict[str, Any],
        source: Path,
        final: Path,
        more: int,
        progress: Callable[[float], None] = lambda _: None,
    ) -> CompressResult:
        """Have a child write a file beside ``final``; ``more`` bytes than the source's may come."""
        partial = final.with_name(f".{final.name}.mp-part")
        order["partial"] = str(partial)
        size = await asyncio.to_thread(room_for, source, final, more)
        try:
            answer = await self._run(order, size, size + more + SPARE, self.pace.hold, progress)
            if not answer.result.get("kept"):
                return _left_alone(source, size, answer.result.get("reason", ""), answer)
            new_size = await asyncio.to_thread(publish, source, partial, final)
        except OSError as err:
            if err.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise TargetFull(str(err)) from err
            raise
        finally:
            # In an executor and shielded: also done when this task is being cancelled.
            gone = asyncio.get_running_loop().run_in_executor(None, remove_partial, partial)
            await asyncio.shield(gone)
        return CompressResult(
            kept=True,
            reason=Reason.COMPRESSED,
            size=new_size,
            source_size=size,
            suffix=final.suffix,
            cpu_seconds=answer.cpu_seconds,
            peak_rss=answer.peak_rss,
            path=final,
            quality=answer.result.get("quality"),
        )

    async def _run(
        self,
        order: dict[str, Any],
        size: int,
        file_size: int,
        hold: Hold | None = None,
        progress: Callable[[float], None] = lambda _: None,
    ) -> _Answer:
        """Run one child and return its answer; raise what went wrong in it."""
        if self._closed:
            raise EngineStopped("the media pool is closed")
        kind = order["job"]
        total = self._timeout + _SECONDS_PER_MB[kind] * size / 1e6
        order["limits"] = {
            "memory": self._memory if kind == "video" else min(self._memory, _PHOTO_MEMORY),
            "cpu": int(total * self._processors) + 1,
            "file_size": file_size,
            "files": 64,
        }
        terms = Terms(stall=self._timeout, total=total, hold=hold, progress=progress)
        task = asyncio.create_task(run_child(self._forks, order, terms))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            answer = await task
        except asyncio.CancelledError:
            if self._closed and task.cancelled():
                raise EngineStopped("the media pool is closed") from None
            raise
        if answer["ok"] is True:
            return _understood(answer)
        error = _ERRORS.get(str(answer.get("error")), MediaWorkerCrashed)
        raise error(str(answer.get("detail", "the media worker gave no answer of use")))


def _item(item: dict[str, Any]) -> ProbeResult | PipelineError:
    """One file of ``probe_many``."""
    if "error" in item:
        return _ERRORS.get(item["error"], MediaUnreadable)(str(item.get("detail", "")))
    return ProbeResult(**item)


def _understood(answer: dict[str, Any]) -> _Answer:
    try:
        result = dict(answer["result"])
        if "kept" in result and not result["kept"]:
            Reason(result["reason"])
        return _Answer(result, float(answer["cpu_seconds"]), int(answer["peak_rss"]))
    except (KeyError, TypeError, ValueError) as err:
        raise MediaWorkerCrashed(f"the media worker gave no answer of use: {err!r}") from err


def _left_alone(
    source: Path, size: int, reason: str, answer: _Answer | None = None
) -> CompressResult:
    return CompressResult(
        kept=False,
        reason=Reason(reason),
        size=size,
        source_size=size,
        suffix=source.suffix,
        cpu_seconds=answer.cpu_seconds if answer else 0.0,
        peak_rss=answer.peak_rss if answer else 0,
        quality=answer.result.get("quality") if answer else None,
    )
