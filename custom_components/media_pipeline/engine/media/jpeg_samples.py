"""A JPEG's samples as they are stored, for an encoder that wants the same kind.

To make RGB of them and samples of that again costs time and a little of the picture. Runs in the
child process.
"""

import platform

import av

from .data import Data
from .jpeg import JpegLayout

_APP0, _APP14 = 0xE0, 0xEE
_DECODED = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended and progressive, all with Huffman
_COMMENT = b"CS=ITU601\0"
_NAMED_PLAINLY = b"".join((b"\xff\xfe", (len(_COMMENT) + 2).to_bytes(2, "big"), _COMMENT))
"""A comment for which FFmpeg's decoder names the very same values ``yuv420p``, as encoders want
them, and not ``yuvj420p`` (libavcodec/mjpegdec.c); to rename them is to copy them."""
_ALL_VALUES, _ITU601 = 2, 5
"""FFmpeg's numbers for what that comment says otherwise."""
# The fastest that FFmpeg has for this processor; both are as exact as IEEE 1180 asks for.
_TRANSFORM = {"idct": "xvid"} if platform.machine() in {"x86_64", "AMD64"} else {}
_HALVED = (0x22, 0x11, 0x11)
"""Samples in a row and a column for each component: colour has half as many (4:2:0)."""


def jpeg_samples(data: Data, layout: JpegLayout) -> av.VideoFrame | None:
    """The decoded picture as ``yuv420p`` with all values used, ITU-R BT.601.

    None for a JPEG that stores something else, or is odd enough that this decoder, of another make
    than Pillow's, does not take it. Whoever uses the result compares it with Pillow's.
    """
    if not stores_halved_colour(data, layout):
        return None
    decoder = av.CodecContext.create("mjpeg", "r")
    decoder.thread_count = 1
    decoder.options = {"err_detect": "explode", **_TRANSFORM}
    named = b"".join((data.read(0, 2), _NAMED_PLAINLY, data.read(2, len(data) - 2)))
    try:
        pictures = [*decoder.decode(av.Packet(named)), *decoder.decode(None)]
    except av.FFmpegError:
        return None
    if len(pictures) != 1:
        return None
    picture: av.VideoFrame = pictures[0]
    at = layout.frame.body
    size = (data.number(at + 3, 2), data.number(at + 1, 2))
    if (picture.width, picture.height) != size or picture.format.name != "yuv420p":
        return None
    picture.color_range, picture.colorspace = _ALL_VALUES, _ITU601
    return picture


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
