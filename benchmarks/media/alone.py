"""Only reading, encoding and writing: ``alone ORDER``, as ``ours``, with the same settings.

Children are forked as the media pool's are, from a process that has loaded the same and no more:
the engine as a package of its own, without Home Assistant.
"""

import json
import os
import resource
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]


def _engine() -> Any:
    """The modules of the engine, by name, loaded as in a child."""
    engine = ModuleType("engine")
    engine.__path__ = [str(_ROOT / "custom_components" / "media_pipeline" / "engine")]
    sys.modules["engine"] = engine
    import_module("engine.media.fork_server").load()
    import_module("engine.children").never_in_real_time()
    return lambda name: import_module(f"engine.media.{name}")


def _photo(of: Any, source: Path, made: Path, what: str) -> None:
    from PIL import Image

    jobs, encode = of("jobs"), of("encode")
    preset = jobs.PhotoPreset(format=jobs.PhotoFormat(what))
    with source.open("rb") as file:
        data = of("data").Data(file)
        # the walk through the whole file is a part of ours as a whole: the others do none
        said = of("metadata").Metadata.of(data, of("jpeg").head_segments(data))
        file.seek(0)
        if preset.format is jobs.PhotoFormat.JPEG_LOSSLESS:
            made.write_bytes(encode.repack(file.read(), said))
            return
        samples = encode.samples_for(preset, data, of("jpeg").jpeg_layout(data))
        if samples is not None:
            made.write_bytes(encode.encode_samples(samples, preset, said))
            return
        with Image.open(file, formats=("JPEG", "MPO")) as image:
            made.write_bytes(encode.encode(image, preset, said, data))


def _film(of: Any, source: Path, made: Path, what: str) -> None:
    import av

    jobs = of("jobs")
    with av.open(str(source)) as file:
        video = file.streams.video[0]
        of("transcode").transcode(
            file,
            video,
            made,
            jobs.VideoPreset(codec=jobs.VideoCodec(what)),
            of("video_colour").colour_of(source, video.index),
            container="mp4",
            limit=1 << 40,
            dolby_vision=of("streams").dolby_vision(video) is not None,
            progress=lambda _: None,
        )


def _one(of: Any, order: dict[str, Any], source: Path) -> None:
    film = order["what"] in set(of("jobs").VideoCodec)
    suffix = ".mp4" if film else of("jobs").PhotoFormat(order["what"]).suffix
    made = Path(order["folder"]) / (source.stem + suffix)
    (_film if film else _photo)(of, source, made, order["what"])


def _fork(of: Any, order: dict[str, Any], file: str) -> None:
    if os.fork():
        return
    try:
        _one(of, order, Path(file))
        os._exit(0)
    finally:
        traceback.print_exc()
        os._exit(1)


def main() -> None:
    """Encode all files, so many at a time, and tell what that cost."""
    order = json.loads(sys.argv[1])
    of = _engine()
    began, waiting, running = time.monotonic(), list(order["files"]), 0
    while waiting or running:
        if waiting and running < order["workers"]:
            _fork(of, order, waiting.pop(0))
            running += 1
            continue
        _, status = os.wait()
        running -= 1
        if status:
            raise SystemExit("a file could not be encoded")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    answer = {
        "wall_s": time.monotonic() - began,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_rss_mb": used.ru_maxrss / 1024,
        "left_alone": {},
    }
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
