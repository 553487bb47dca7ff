"""A JPEG's samples as they are stored, and a JPEG made of them, by libjpeg-turbo itself.

Pillow makes RGB of them, and samples of that again: three more passes over the picture and a little
of its colour. PyTurboJPEG uses the system's libturbojpeg, which Home Assistant's image brings for
its cameras; where there is none, Pillow does it all. Runs in the child process.
"""

import functools
import warnings
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from turbojpeg import TJFLAG_ACCURATEDCT, TJFLAG_PROGRESSIVE, TJSAMP_420, TurboJPEG

from .data import Data
from .jpeg import JpegLayout
from .jpeg_samples import stores_halved_colour

_ALIGNED = 4
"""Bytes: what a row's length is a multiple of, in PyTurboJPEG's arrays."""
_LEAST_SIDE = 2


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


def stored_samples(data: Data, layout: JpegLayout) -> StoredSamples | None:
    """The samples of a JPEG that stores halved colour.

    None for any other, for one that doesn't decode without a complaint, and without the library.
    """
    library = libjpeg_turbo()
    if library is None or not stores_halved_colour(data, layout):
        return None
    try:
        with warnings.catch_warnings(action="error"):  # it warns of what libjpeg is not sure of
            packed, planes = library.decode_to_yuv(
                data.read(0, len(data)), flags=TJFLAG_ACCURATEDCT
            )
    except OSError, UserWarning:
        return None
    height, width = planes[0]
    if min(width, height) < _LEAST_SIDE:
        return None
    return StoredSamples((width, height), packed)
