"""Writing WebP from a JPEG's own samples: Pillow would make RGB of them, and samples of that again.

PyAV brings libwebp; FFmpeg's writer knows neither EXIF, XMP nor profiles, so the coded picture is
put into a file with all of them (RFC 9649, WebP Image Format). Runs in the child process.
"""

import struct
from fractions import Fraction
from typing import Final

import av

from ..errors import MediaUnreadable

LONGEST_SIDE: Final = 16_383
"""Pixels: what fits into a picture's 14 bits."""
_METHOD: Final = "4"
_PROFILE, _EXIF, _XMP = 0x20, 0x08, 0x04
"""The flags of a file's head for what it holds (RFC 9649, section 2.7.1)."""


def encode_webp(
    frame: av.VideoFrame, quality: int, *, profile: bytes | None, exif: bytes, xmp: bytes | None
) -> bytes:
    """A whole WebP file of a picture with even sides, at most ``LONGEST_SIDE``.

    It is ``yuv420p`` with limited values, ITU-R BT.601, as the format knows no other.
    ``quality`` is libwebp's, 1 to 100; ``exif`` begins with its byte order. Raises MediaUnreadable
    when the encoder fails.
    """
    try:
        coded = _coded(frame, quality)
    except av.FFmpegError as err:
        raise MediaUnreadable(f"the WebP encoder failed: {err}") from err
    kinds = ((_PROFILE, b"ICCP", profile), (_EXIF, b"EXIF", exif), (_XMP, b"XMP ", xmp))
    extras = {kind: content for _, kind, content in kinds if content}
    if not extras:
        return _chunk(b"RIFF", b"WEBP", coded)
    flags = sum(flag for flag, kind, _ in kinds if kind in extras)
    sides = (struct.pack("<I", side - 1)[:3] for side in (frame.width, frame.height))
    head = _chunk(b"VP8X", struct.pack("<I", flags), *sides)
    before, *after = (_chunk(kind, extras[kind]) if kind in extras else b"" for _, kind, _ in kinds)
    return _chunk(b"RIFF", b"WEBP", head, before, coded, *after)


def _coded(frame: av.VideoFrame, quality: int) -> bytes:
    """The chunk with the picture, out of the file that the encoder makes."""
    encoder = av.VideoCodecContext.create("libwebp", "w")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "yuv420p"
    encoder.time_base = Fraction(1)
    encoder.options = {"quality": str(quality), "compression_level": _METHOD}
    frame.pts, frame.time_base = 0, Fraction(1)
    (packet,) = [*encoder.encode(frame), *encoder.encode(None)]
    return bytes(packet)[12:]


def _chunk(kind: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
