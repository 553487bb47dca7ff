"""Our side as a whole, as a program: ``ours ORDER`` with a JSON order; answers with JSON.

What the pipeline does: the media pool in a thread of its own beside an idle event loop with a
heartbeat, as in Home Assistant; a child process for each file, with walk, guard and metadata. Costs
are taken after the imports, which Home Assistant did long ago, but with the start of the process
that children are forked from.
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.loop_lag.loop_heartbeat.heartbeat import beat
from custom_components.media_pipeline.engine.errors import PipelineError
from custom_components.media_pipeline.engine.media.jobs import (
    CompressJob,
    PhotoFormat,
    PhotoPreset,
    Reason,
    VideoCodec,
    VideoPreset,
)
from custom_components.media_pipeline.engine.media.pool import MediaPool

_CODECS: Final = frozenset(VideoCodec)
_WARM_UP: Final = 0.5  # seconds of heartbeat before the work
_WRITTEN: Final = 1.5  # seconds until the last samples are in their file


@dataclass(frozen=True, slots=True)
class Order:
    """What to make of which files, and where; ``what`` is a PhotoFormat or VideoCodec."""

    what: str
    workers: int
    files: Sequence[str]
    folder: str
    beats: str

    @property
    def preset(self) -> PhotoPreset | VideoPreset:
        """As the pipeline's; without a floor, so that equal settings give equal work."""
        if self.what in _CODECS:
            return VideoPreset(codec=VideoCodec(self.what))
        return PhotoPreset(format=PhotoFormat(self.what))

    def place(self, source: Path) -> Path:
        """Where a file's result goes."""
        suffix = ".mp4" if self.what in _CODECS else PhotoFormat(self.what).suffix
        return Path(self.folder) / (source.stem + suffix)


def _used() -> float:
    """Processor seconds of this process and of its children that ended."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(one.ru_utime + one.ru_stime for one in map(resource.getrusage, kinds))


async def _pool(order: Order) -> dict[str, Any]:
    pool = MediaPool(order.workers)
    began, used = time.monotonic(), _used()
    jobs = [
        CompressJob(
            Path(file),
            order.place(Path(file)),
            "video" if order.what in _CODECS else "photo",
            min_saving=0.0,
            preset=order.preset,
        )
        for file in order.files
    ]
    results = await asyncio.gather(*(_done(pool, job) for job in jobs))
    wall = time.monotonic() - began
    await pool.close()  # only now is known what the children used
    return {
        "wall_s": wall,
        "cpu_s": _used() - used,
        "peak_rss_mb": max(peak for peak, _ in results) / 2**20,
        "left_alone": {
            Path(file).name: reason
            for file, (_, reason) in zip(order.files, results, strict=True)
            if reason != Reason.COMPRESSED
        },
    }


async def _done(pool: MediaPool, job: CompressJob) -> tuple[int, str]:
    """Bytes at the peak of one file's child, and what became of the file."""
    try:
        result = await pool.compress(job)
    except PipelineError as err:
        return 0, err.key
    return result.peak_rss, result.reason


async def _whole(order: Order) -> dict[str, Any]:
    """The pool in another thread, while this loop does nothing but beat."""
    heart = asyncio.create_task(beat(Path(order.beats)))
    await asyncio.sleep(_WARM_UP)
    began = time.time()
    answer = await asyncio.to_thread(asyncio.run, _pool(order))
    answer["between"] = [began, time.time()]
    await asyncio.sleep(_WRITTEN)
    heart.cancel()
    return answer


if __name__ == "__main__":
    answer = asyncio.run(_whole(Order(**json.loads(sys.argv[1]))))
    sys.stdout.write(json.dumps(answer) + "\n")
