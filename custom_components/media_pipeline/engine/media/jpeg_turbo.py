"""A JPEG's samples as they are stored, for a JPEG or an AVIF made of them, by libjpeg-turbo itself.

Pillow makes RGB of them, and samples of that again: three more passes over the picture and a little
of its colour. PyTurboJPEG uses the system's libturbojpeg, which Home Assistant's image brings for
its cameras; where there is none, Pillow does it all. Runs in the child process.
"""

import functools
import warnings
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

import av
import numpy as np
from turbojpeg import TJFLAG_ACCURATEDCT, TJFLAG_PROGRESSIVE, TJSAMP_420, TurboJPEG

from .data import Data
from .jpeg import JpegLayout, picture_size

_APP0, _APP14 = 0xE0, 0xEE
_DECODED: Final = frozenset({0xC0, 0xC1, 0xC2})
"""Baseline, extended and progressive, all with Huffman's codes."""
_HALVED: Final = (0x22, 0x11, 0x11)
"""Samples in a row and a column for each component: colour has half as many (4:2:0)."""
_ALIGNED: Final = 4
"""Bytes: what a row's length is a multiple of, in PyTurboJPEG's arrays."""
_LEAST_SIDE: Final = 2
_LIMITED_VALUES, _ALL_VALUES, _ITU601 = 1, 2, 5
"""FFmpeg's numbers for what samples mean."""


@functools.cache
def libjpeg_turbo() -> TurboJPEG | None:
    """The library; None when this system has none. Starts programs to find it."""
    try:
        return TurboJPEG()
    except RuntimeError, OSError, AttributeError:  # not found, not loadable, too old
        return None


@dataclass(frozen=True, slots=True)
class StoredSamples:
    """Light and colour (YCbCr, ITU-R BT.601, all 256 values), colour halved both ways (4:2:0).

    ``size`` is (width, height) in pixels; ``packed`` is all three planes in a row as one array of
    bytes.
    """

    size: tuple[int, int]
    packed: Any

    def planes(self) -> list[Any]:
        """Views of Y, Cb and Cr as arrays of (rows, bytes of a row), at least as many as shown."""
        width, height = (side + side % 2 for side in self.size)
        shapes = [
            (high, -(-wide // _ALIGNED) * _ALIGNED)
            for high, wide in ((height, width), *[(height // 2, width // 2)] * 2)
        ]
        ends = accumulate(rows * line for rows, line in shapes)
        return [
            self.packed[end - rows * line : end].reshape(rows, line)
            for (rows, line), end in zip(shapes, ends, strict=True)
        ]

    def as_jpeg(self, quality: int) -> bytes:
        """The picture as a progressive JPEG of that quality (1 to 100), without metadata."""
        library = libjpeg_turbo()
        if library is None:
            raise LookupError("libturbojpeg is gone")
        width, height = self.size
        flags = TJFLAG_PROGRESSIVE | TJFLAG_ACCURATEDCT
        made: bytes = library.encode_from_yuv(
            self.packed, height, width, quality, TJSAMP_420, flags
        )
        return made

    def as_frame(self, orientation: int = 1, *, limited: bool = False) -> av.VideoFrame:
        """The picture with even sides, turned as EXIF's orientation says, for an encoder.

        ``limited`` with the values that films use: 16 to 235, colour 16 to 240.
        """
        width, height = self.size
        # rows without gaps, and as many as PyAV counts on: nothing is copied
        whole = width % (2 * _ALIGNED) == 0 and height % 4 == 0
        if whole and orientation == 1 and not limited:
            frame: av.VideoFrame = av.VideoFrame.from_numpy_buffer(
                self.packed.reshape(-1, width), "yuv420p"
            )
        else:
            light, *colours = self.planes()
            parts = (light[:, :width], *(one[:, : width // 2] for one in colours))
            if limited:
                parts = tuple(one[part] for one, part in zip(_limits(), parts, strict=True))
            frame = frame_of(*(_turned(one, orientation) for one in parts))
        frame.color_range = _LIMITED_VALUES if limited else _ALL_VALUES
        frame.colorspace = _ITU601
        return frame


def _limits() -> tuple[Any, Any, Any]:
    """For Y, Cb and Cr: the limited value for each of all; FFmpeg's colours are half a step off."""
    values = np.arange(256)
    light = np.rint(16 + values * (219 / 255)).astype(np.uint8)
    colour = np.rint(128 + (values - 128) * (224 / 255)).astype(np.uint8)
    return light, colour, colour


def frame_of(light: Any, *colours: Any) -> av.VideoFrame:
    """A ``yuv420p`` frame with a copy of these samples, arrays of (rows, samples of a row)."""
    height, width = light.shape
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, part in zip(frame.planes, (light, *colours), strict=True):
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        rows[:, : part.shape[1]] = part
    return frame


def _turned(plane: Any, orientation: int) -> Any:
    """A view that is upright; the orientations of EXIF 2.32, table 6."""
    if orientation in {3, 4, 6, 7}:
        plane = plane[::-1]
    if orientation in {2, 3, 7, 8}:
        plane = plane[:, ::-1]
    return plane.T if orientation > 4 else plane


def stored_samples(data: Data, layout: JpegLayout) -> StoredSamples | None:
    """The samples of a JPEG that stores halved colour.

    None for any other, for one that doesn't decode without a complaint, and without the library.
    """
    library = libjpeg_turbo()
    if library is None or not stores_halved_colour(data, layout):
        return None
    size = picture_size(data, layout)
    if min(size) < _LEAST_SIDE:
        return None
    try:
        with warnings.catch_warnings(action="error"):  # it warns of what libjpeg is not sure of
            packed, _ = library.decode_to_yuv(data.read(0, len(data)), flags=TJFLAG_ACCURATEDCT)
    except OSError, RuntimeError, UserWarning, ValueError:
        return None
    return StoredSamples(size, packed)


def stores_halved_colour(data: Data, layout: JpegLayout) -> bool:
    """Whether it is light and colour (YCbCr) in 8 bits, with half as many samples of colour."""
    frame = data.read(layout.frame.body, 15)
    if layout.frame.marker not in _DECODED or frame[0] != 8 or frame[5] != 3:
        return False
    if (frame[7], frame[10], frame[13]) != _HALVED:
        return False
    heads = {
        segment.marker: data.read(segment.body, 12)
        for segment in layout.segments
        if segment.marker in {_APP0, _APP14}
    }
    # as libjpeg decides what the components are
    if heads.get(_APP0, b"").startswith(b"JFIF\0"):
        return True
    if (adobe := heads.get(_APP14, b"")).startswith(b"Adobe"):
        return adobe[11:12] == b"\1"
    return (frame[6], frame[9], frame[12]) == (1, 2, 3)
