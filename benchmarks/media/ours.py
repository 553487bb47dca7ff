"""Our side, as a program: ``ours ORDER`` with a JSON order; answers with JSON.

``whole`` is what the pipeline does: the media pool in a thread of its own beside an idle event
loop with a heartbeat, as in Home Assistant; a child process for each file, with walk, guard and
metadata. ``alone`` is only reading, encoding and writing with the same functions and settings.
Costs are taken after the imports, which Home Assistant did long ago.
"""

import asyncio
import gc
import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av
from PIL import Image

from benchmarks.loop_lag.loop_heartbeat.heartbeat import beat
from custom_components.media_pipeline.engine.children import never_in_real_time
from custom_components.media_pipeline.engine.errors import PipelineError
from custom_components.media_pipeline.engine.media.data import Data
from custom_components.media_pipeline.engine.media.encode import encode, repack, samples_for
from custom_components.media_pipeline.engine.media.jobs import (
    CompressJob,
    PhotoFormat,
    PhotoPreset,
    Reason,
    VideoCodec,
    VideoPreset,
)
from custom_components.media_pipeline.engine.media.jpeg import jpeg_layout
from custom_components.media_pipeline.engine.media.metadata import Metadata
from custom_components.media_pipeline.engine.media.pool import MediaPool
from custom_components.media_pipeline.engine.media.streams import dolby_vision
from custom_components.media_pipeline.engine.media.transcode import transcode
from custom_components.media_pipeline.engine.media.video_colour import colour_of

_CODECS: Final = frozenset(VideoCodec)
_WARM_UP: Final = 0.5  # seconds of heartbeat before the work
_WRITTEN: Final = 1.5  # seconds until the last samples are in their file


@dataclass(frozen=True, slots=True)
class Order:
    """What to make of which files, and where; ``what`` is a PhotoFormat or VideoCodec."""

    mode: str
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


def _photo_alone(source: Path, made: Path, preset: PhotoPreset) -> None:
    with source.open("rb") as file:
        data = Data(file)
        said = Metadata.of(data, jpeg_layout(data))
        file.seek(0)
        if preset.format is PhotoFormat.JPEG_LOSSLESS:
            made.write_bytes(repack(file.read(), said))
            return
        with Image.open(file, formats=("JPEG", "MPO")) as image:
            samples = samples_for(preset, image, said, data)
            if samples is None:
                image.load()
            made.write_bytes(encode(image, preset, said, samples))


def _film_alone(source: Path, made: Path, preset: VideoPreset) -> None:
    with av.open(str(source)) as file:
        video = file.streams.video[0]
        transcode(
            file,
            video,
            made,
            preset,
            colour_of(source, video.index),
            container="mp4",
            limit=1 << 40,
            dolby_vision=dolby_vision(video) is not None,
            progress=lambda _: None,
        )


def _one_alone(order: Order, file: str) -> None:
    preset, source = order.preset, Path(file)
    if isinstance(preset, VideoPreset):
        _film_alone(source, order.place(source), preset)
    else:
        _photo_alone(source, order.place(source), preset)


def _alone(order: Order) -> dict[str, Any]:
    # as the pool's children do; else root's SVT-AV1 takes the processors from everybody
    never_in_real_time()
    Image.init()
    gc.freeze()
    began, used = time.monotonic(), _used()
    waiting, running = list(order.files), 0
    while waiting or running:
        if waiting and running < order.workers:
            running += 1
            file = waiting.pop(0)
            if not os.fork():
                try:
                    _one_alone(order, file)
                    os._exit(0)
                finally:
                    traceback.print_exc()
                    os._exit(1)
            continue
        _, status = os.wait()
        running -= 1
        if status:
            raise SystemExit("a child failed")
    return {
        "wall_s": time.monotonic() - began,
        "cpu_s": _used() - used,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
        "left_alone": {},
    }


if __name__ == "__main__":
    wanted = Order(**json.loads(sys.argv[1]))
    said = asyncio.run(_whole(wanted)) if wanted.mode == "whole" else _alone(wanted)
    sys.stdout.write(json.dumps(said) + "\n")
