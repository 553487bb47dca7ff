"""How much a smaller photo looks like its source: many small windows of both are compared.

Up to 64 windows of 256 x 256 pixels, evenly spread, at full resolution: a third of 12 megapixels,
so the source need not stay in memory as a whole while its result is decoded.
"""

from collections.abc import Sequence
from typing import Any, Final

import av
from av.video.reformatter import VideoReformatter
from PIL import Image

from .quality import Likeness, worst_quarter

_SIDE: Final = 256
_MOST_IN_A_ROW: Final = 8


def windows(image: Image.Image) -> list[av.VideoFrame]:
    """Pieces of a photo (mode RGB or L), its numbers as they are; grey has no colour to compare."""
    width, height = image.size
    wide, high = (min(_SIDE, max(2, side // 2 * 2)) for side in image.size)
    frames: Any = av.VideoFrame  # its from_image has no types
    form = "gray" if image.mode == "L" else "yuv420p"
    convert = VideoReformatter()  # each frame's own would be set up anew for every window
    return [
        convert.reformat(frames.from_image(image.crop((x, y, x + wide, y + high))), format=form)
        for y in _starts(height, high)
        for x in _starts(width, wide)
    ]


def _starts(whole: int, part: int) -> list[int]:
    """Where windows of ``part`` pixels begin, from one edge to the other."""
    count = max(1, min(_MOST_IN_A_ROW, whole // part))
    return [(whole - part) * number // max(1, count - 1) for number in range(count)]


def likeness(before: Sequence[av.VideoFrame], after: Sequence[av.VideoFrame]) -> float:
    """The SSIM of the worst quarter; raises LeftAlone for windows of different shapes."""
    compare = Likeness(before[0])
    pairs = zip(before, after, strict=True)
    return round(worst_quarter([compare(one, two) for one, two in pairs]), 5)
