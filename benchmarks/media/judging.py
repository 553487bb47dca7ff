"""What came out: bytes, and how much each looks like its source. The same judge for all tools."""

from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

import av
import pillow_heif
from PIL import Image, ImageOps

from custom_components.media_pipeline.engine.media.film_shape import Shape
from custom_components.media_pipeline.engine.media.photo_likeness import likeness, windows
from custom_components.media_pipeline.engine.media.quality import Likeness, plain, worst_quarter
from custom_components.media_pipeline.engine.media.streams import display_size

_EVERY = 10  # pictures of a film


def size_of(files: list[Path]) -> int:
    """All their bytes."""
    return sum(file.stat().st_size for file in files)


def photo_likeness(source: Path, made: Path) -> float:
    """SSIM of the worst quarter of a photo's windows; see ``photo_likeness`` of the engine."""
    pillow_heif.register_heif_opener()
    with Image.open(source) as one, Image.open(made) as two:
        shown = [ImageOps.exif_transpose(image).convert("RGB") for image in (one, two)]
    return likeness(*map(windows, shown))


def film_likeness(source: Path, made: Path) -> float:
    """SSIM of the worst quarter of every tenth picture."""
    pairs = zip(_pictures(source), _pictures(made), strict=True)
    compare: Likeness | None = None
    values = []
    for one, two in pairs:
        compare = compare or Likeness(one)
        values.append(compare(one, two))
    return worst_quarter(values)


def _pictures(film: Path) -> Iterator[av.VideoFrame]:
    with av.open(str(film)) as file:
        video = file.streams.video[0]
        video.thread_type = "AUTO"
        shape = Shape(video, display_size(video))
        for number, frame in enumerate(file.decode(video)):
            if number % _EVERY == 0:
                yield plain(shape(frame))


def mean_likeness(sources: list[Path], made: list[Path], *, film: bool) -> float:
    """The mean over all files."""
    judge = film_likeness if film else photo_likeness
    return fmean(judge(*pair) for pair in zip(sources, made, strict=True))
