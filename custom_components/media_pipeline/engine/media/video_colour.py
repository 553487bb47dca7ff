"""The colours of a film: what its numbers mean, and what an HDR screen is told of it.

Nothing is converted anywhere: the result says the same of the same kind of numbers.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av
from av.sidedata.sidedata import Type

from .streams import HDR_TRANSFERS

_MASTERING: Final = struct.Struct("<20i2i")  # six chromaticities, white, two luminances; two flags
_LIGHT: Final = struct.Struct("<2I")
_UNSAID: Final = 2
_LEFT: Final = 1


@dataclass(frozen=True, slots=True)
class Mastering:
    """The screen a film was made on (SMPTE ST 2086): chromaticities x, y; luminance in cd/m²."""

    red: tuple[float, float]
    green: tuple[float, float]
    blue: tuple[float, float]
    white: tuple[float, float]
    darkest: float
    brightest: float


@dataclass(frozen=True, slots=True)
class Colour:
    """Numbers as in ITU-T H.273; ``light`` is (MaxCLL, MaxFALL) in cd/m²."""

    primaries: int
    transfer: int
    matrix: int
    full_range: bool
    chroma_place: int = 0
    mastering: Mastering | None = None
    light: tuple[int, int] | None = None
    moving: bool = False
    """HDR10+: what the screen is told changes from picture to picture."""

    @property
    def hdr(self) -> bool:
        """Whether the curve is PQ or HLG."""
        return self.transfer in HDR_TRANSFERS


def colour_of(path: Path, index: int | None = None) -> Colour:
    """Read the colours of a film's first picture (of stream ``index``); raises av.FFmpegError."""
    with av.open(str(path)) as file:
        video = file.streams.video[0]
        if index is not None and isinstance(wanted := file.streams[index], av.VideoStream):
            video = wanted
        for frame in file.decode(video):
            return _read(frame, video)
        context = video.codec_context
        return Colour(context.color_primaries, context.color_trc, context.colorspace, False)


def same_colours(one: Colour, two: Colour) -> bool:
    """Whether two films mean the same by the same numbers; luminances may be rounded."""
    if one.mastering is not None and two.mastering is not None:
        mine, its = (
            [*m.red, *m.green, *m.blue, *m.white, m.darkest, m.brightest]
            for m in (one.mastering, two.mastering)
        )
        # as fine as the container counts, or a part of a great number
        if any(abs(a - b) > max(2e-4, a * 1e-3) for a, b in zip(mine, its, strict=True)):
            return False
    elif one.mastering != two.mastering:
        return False
    return _plainly(one) == _plainly(two)


def _plainly(colour: Colour) -> tuple[object, ...]:
    place = max(colour.chroma_place, _LEFT)  # unsaid is left
    numbers = (colour.primaries, colour.transfer, colour.matrix)
    return (*numbers, colour.full_range, place, colour.light)


def _read(frame: av.VideoFrame, video: av.VideoStream) -> Colour:
    context = video.codec_context
    beside = frame.side_data
    mastering = _bytes(beside.get(Type.MASTERING_DISPLAY_METADATA)) or _bytes(
        context.coded_side_data.get("mastering_display_metadata")
    )
    light = _bytes(beside.get(Type.CONTENT_LIGHT_LEVEL)) or _bytes(
        context.coded_side_data.get("content_light_level")
    )
    return Colour(
        primaries=_said(context.color_primaries, frame.color_primaries),
        transfer=_said(context.color_trc, frame.color_trc),
        matrix=_said(context.colorspace, int(frame.colorspace)),
        full_range=int(frame.color_range) == 2,
        chroma_place=int(context.chroma_sample_location or 0),
        mastering=_mastering(mastering),
        light=_light(light),
        moving=beside.get(Type.DYNAMIC_HDR_PLUS) is not None,
    )


def _said(of_stream: int, of_frame: int) -> int:
    return int(of_stream) if int(of_stream) != _UNSAID else int(of_frame)


def _bytes(data: Any) -> bytes:
    return b"" if data is None else bytes(data)


def _mastering(raw: bytes) -> Mastering | None:
    if len(raw) < _MASTERING.size:
        return None
    numbers = _MASTERING.unpack_from(raw)
    if not all(numbers[20:]):
        return None
    values = [
        top / bottom if bottom else 0.0
        for top, bottom in zip(numbers[0:20:2], numbers[1:20:2], strict=True)
    ]
    red, green, blue, white = zip(values[0:8:2], values[1:8:2], strict=True)
    return Mastering(red, green, blue, white, darkest=values[8], brightest=values[9])


def _light(raw: bytes) -> tuple[int, int] | None:
    if len(raw) < _LIGHT.size:
        return None
    most, average = _LIGHT.unpack_from(raw)
    return (most, average) if most or average else None


def for_x265(colour: Colour) -> list[str]:
    """x265's parameters for what FFmpeg does not hand over by itself."""
    said = []
    if colour.chroma_place > _LEFT:
        said.append(f"chromaloc={colour.chroma_place - 1}")
    if (screen := colour.mastering) is not None:
        points = "".join(
            f"{name}({round(x * 50000)},{round(y * 50000)})"
            for name, (x, y) in (
                ("G", screen.green),
                ("B", screen.blue),
                ("R", screen.red),
                ("WP", screen.white),
            )
        )
        bright, dark = round(screen.brightest * 10000), round(screen.darkest * 10000)
        said.append(f"master-display={points}L({bright},{dark})")
    if colour.light is not None:
        said.append(f"max-cll={colour.light[0]},{colour.light[1]}")
    return said


def for_svt(colour: Colour) -> list[str]:
    """The same for SVT-AV1."""
    said = []
    if (screen := colour.mastering) is not None:
        points = "".join(
            f"{name}({x:.5f},{y:.5f})"
            for name, (x, y) in (
                ("G", screen.green),
                ("B", screen.blue),
                ("R", screen.red),
                ("WP", screen.white),
            )
        )
        said.append(f"mastering-display={points}L({screen.brightest:.4f},{screen.darkest:.4f})")
    if colour.light is not None:
        said.append(f"content-light={colour.light[0]},{colour.light[1]}")
    return said
