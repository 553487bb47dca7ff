"""How much a smaller photo looks like its source: many small windows of both are compared.

Up to 64 windows of 256 x 256 pixels, evenly spread, at full resolution: a third of 12 megapixels,
so the source need not stay in memory as a whole while its result is decoded.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import av
from av.video.reformatter import VideoReformatter
from PIL import Image

from .jpeg_turbo import StoredSamples, frame_of
from .quality import Likeness, worst_quarter

_SIDE: Final = 256
_MOST_IN_A_ROW: Final = 8


def windows(image: Image.Image) -> list[av.VideoFrame]:
    """Pieces of a photo (mode RGB or L), its numbers as they are; grey has no colour to compare."""
    frames: Any = av.VideoFrame  # its from_image has no types
    form = "gray" if image.mode == "L" else "yuv420p"
    convert = VideoReformatter()  # each frame's own would be set up anew for every window
    return [
        convert.reformat(frames.from_image(image.crop(box)), format=form)
        for box in _boxes(image.size)
    ]


def stored_windows(samples: StoredSamples) -> list[av.VideoFrame]:
    """The same pieces of what a JPEG stores."""
    light, *colours = samples.planes()
    return [
        frame_of(
            light[top:bottom, left:right],
            *(one[top // 2 : bottom // 2, left // 2 : right // 2] for one in colours),
        )
        for left, top, right, bottom in _boxes(samples.size)
    ]


def _boxes(size: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """Where the pieces of a picture are, as (left, top, right, bottom): even numbers."""
    width, height = size
    wide, high = (min(_SIDE, max(2, side // 2 * 2)) for side in size)
    for y in _starts(height, high):
        for x in _starts(width, wide):
            yield x, y, x + wide, y + high


def _starts(whole: int, part: int) -> list[int]:
    """Where windows of ``part`` pixels begin, from one edge to the other."""
    count = max(1, min(_MOST_IN_A_ROW, whole // part))
    return [
        (whole - part) * number // max(1, count - 1) // 2 * 2 for number in range(count)
    ]  # even: there a sample of colour begins, too


def likeness(before: Sequence[av.VideoFrame], after: Sequence[av.VideoFrame]) -> float:
    """The SSIM of the worst quarter; raises LeftAlone for windows of different shapes."""
    compare = Likeness(before[0])
    pairs = zip(before, after, strict=True)
    return round(worst_quarter([compare(one, two) for one, two in pairs]), 5)
