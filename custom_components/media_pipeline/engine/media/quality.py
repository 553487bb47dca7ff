"""How much a result looks like its source: SSIM, measured by the filter that comes with FFmpeg.

What is compared are sample values as they are stored, never converted: HDR in its own curve,
colours in their own space. 1.0 is the same picture. A whole film or photo has the mean of its worst
quarter: one odd picture does not decide, and a bad scene is not hidden by many good ones.
"""

from collections.abc import Sequence
from fractions import Fraction

import av
from av.filter import Graph

from .jobs import Reason
from .outcome import LeftAlone

_BASE = Fraction(1, 25)  # only the order counts
_FULL_RANGE = {"yuvj420p": "yuv420p", "yuvj422p": "yuv422p", "yuvj444p": "yuv444p"}
_MOST_BYTES = 64 << 20
_MOST, _FEWEST = 24, 4


def plain(frame: av.VideoFrame) -> av.VideoFrame:
    """A copy of a picture's sample values without anything else.

    Some decoders say in the format's name that all values are used and others say it beside; so the
    name is made the same. The copy also frees the decoder's own memory.
    """
    name = _FULL_RANGE.get(frame.format.name, frame.format.name)
    copy = av.VideoFrame(frame.width, frame.height, name)
    for mine, its in zip(copy.planes, frame.planes, strict=True):
        target, source = memoryview(mine).cast("B"), memoryview(its).cast("B")
        room, line = mine.line_size, its.line_size
        if room == line:
            target[:] = source[: len(target)]
            continue
        common = min(line, room)  # only the part that both have room for holds pixels
        for row in range(mine.height):
            begin = row * line
            target[row * room : row * room + common] = source[begin : begin + common]
    return copy


class Likeness:
    """Compares pairs of pictures of one size and format."""

    def __init__(self, like: av.VideoFrame) -> None:
        self._shape = (like.width, like.height, like.format.name)
        self._count = 0
        self._graph = Graph()
        width, height, name = self._shape
        self._ends = [
            self._graph.add_buffer(width=width, height=height, format=name, time_base=_BASE)
            for _ in range(2)
        ]
        compare = self._graph.add("ssim")
        self._sink = self._graph.add("buffersink")
        for number, end in enumerate(self._ends):
            end.link_to(compare, 0, number)
        compare.link_to(self._sink)
        self._graph.configure()

    def __call__(self, one: av.VideoFrame, two: av.VideoFrame) -> float:
        """Return the SSIM of two plain pictures, colour with the weight of its samples.

        Raises LeftAlone when they have not the same size and the same kind of sample values.
        """
        for end, frame in zip(self._ends, (one, two), strict=True):
            shape = (frame.width, frame.height, frame.format.name)
            if shape != self._shape:
                raise LeftAlone(Reason.VERIFY_FAILED, f"pixels are {shape}, not {self._shape}")
            frame.pts, frame.time_base = self._count, _BASE
            end.push(frame)
        self._count += 1
        compared = self._sink.pull()
        return float(compared.metadata["lavfi.ssim.All"])


def worst_quarter(values: Sequence[float]) -> float:
    """The mean of the lowest quarter, at least of one."""
    lowest = sorted(values)[: max(1, len(values) // 4)]
    return sum(lowest) / len(lowest)


def require(value: float, floor: float) -> None:
    """Raise LeftAlone for a result that is not like its source enough."""
    if value < floor:
        raise LeftAlone(
            Reason.QUALITY_BELOW_FLOOR, f"{value:.4f} of {floor:.4f}", quality=round(value, 5)
        )


class Samples:
    """Some pictures of a film, evenly spread however long it is, in at most 64 MiB.

    They are kept while the film is decoded to be encoded, so that comparing needs no second look at
    the source.
    """

    def __init__(self, size: tuple[int, int], depth: int, step: int = 1) -> None:
        picture = size[0] * size[1] * (3 if depth > 8 else 1.5)
        self._most = max(_FEWEST, min(_MOST, int(_MOST_BYTES / max(picture, 1))))
        self._step = step
        self.frames: dict[int, av.VideoFrame] = {}

    def see(self, number: int, frame: av.VideoFrame) -> None:
        """Look at picture ``number`` of the film; some are kept."""
        if number % self._step:
            return
        self.frames[number] = plain(frame)
        if len(self.frames) > self._most:
            self._step *= 2
            self.frames = {at: one for at, one in self.frames.items() if at % self._step == 0}
