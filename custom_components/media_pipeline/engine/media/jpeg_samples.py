"""A JPEG's samples as they are stored, for an encoder that wants the same kind.

To make RGB of them and samples of that again costs time and a little of the picture. Runs in the
child process.
"""

import av

from .data import Data
from .jpeg import JpegLayout
from .quality import plain

_APP0, _APP14 = 0xE0, 0xEE
_DECODED = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended and progressive, all with Huffman
_HALVED = (0x22, 0x11, 0x11)
"""Samples in a row and a column for each component: colour has half as many (4:2:0)."""


def jpeg_samples(data: Data, layout: JpegLayout) -> av.VideoFrame | None:
    """The decoded picture as ``yuv420p`` with all values used, ITU-R BT.601.

    None for a JPEG that stores something else, or is odd enough that this decoder, of another make
    than Pillow's, does not take it. Whoever uses the result compares it with Pillow's.
    """
    if not _stores_halved_colour(data, layout):
        return None
    decoder = av.CodecContext.create("mjpeg", "r")
    decoder.thread_count = 1
    decoder.options = {"err_detect": "explode"}
    try:
        pictures = [*decoder.decode(av.Packet(data.read(0, len(data)))), *decoder.decode(None)]
    except av.FFmpegError:
        return None
    if len(pictures) != 1:
        return None
    picture: av.VideoFrame = pictures[0]
    at = layout.frame.body
    size = (data.number(at + 3, 2), data.number(at + 1, 2))
    if (picture.width, picture.height) != size or picture.format.name != "yuvj420p":
        return None
    return plain(picture)


def _stores_halved_colour(data: Data, layout: JpegLayout) -> bool:
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
