"""What a video stream says about how it is to be shown: cropped, turned, bright."""

import math
import struct
from typing import Any

HDR_TRANSFERS = frozenset({16, 18})  # PQ and HLG, as in ITU-T H.273


def side_data(stream: Any, name: str) -> bytes | None:
    """Return a piece of the container's side data of a stream, or None."""
    raw = stream.codec_context.coded_side_data.get(name)
    return None if raw is None else bytes(raw)


def cropping(stream: Any) -> tuple[int, int, int, int]:
    """Return (top, bottom, left, right) pixels that the container hides (clean aperture)."""
    raw = side_data(stream, "frame_cropping")
    if raw is None or len(raw) < 16:
        return 0, 0, 0, 0
    top, bottom, left, right = struct.unpack("<4I", raw[:16])
    context = stream.codec_context
    if top + bottom >= context.height or left + right >= context.width:
        return 0, 0, 0, 0
    return top, bottom, left, right


def display_size(stream: Any) -> tuple[int, int]:
    """Return (width, height) after cropping and before turning."""
    top, bottom, left, right = cropping(stream)
    context = stream.codec_context
    return context.width - left - right, context.height - top - bottom


def display_matrix(stream: Any) -> tuple[int, ...] | None:
    """Return the nine numbers that turn the picture; None when it isn't turned."""
    raw = side_data(stream, "display_matrix")
    return struct.unpack("<9i", raw) if raw is not None and len(raw) == 36 else None


def rotation(stream: Any) -> int:
    """Return by how many degrees the picture is to be turned clockwise: 0, 90, 180 or 270."""
    matrix = display_matrix(stream)
    if matrix is None:
        return 0
    return round(math.degrees(math.atan2(matrix[1], matrix[0])) / 90) * 90 % 360


def dolby_vision(stream: Any) -> tuple[int, int] | None:
    """Return (profile, what plain players see) of a Dolby Vision stream; (8, 4) is Apple's."""
    raw = side_data(stream, "dovi_conf")
    # two versions, profile, level, three flags, compatibility: a byte each
    return (raw[2], raw[7]) if raw is not None and len(raw) >= 8 else None


def is_spatial(stream: Any) -> bool:
    """Whether the film has a second eye or is all around, which encoders don't carry on."""
    found = stream.codec_context.coded_side_data
    return any(name in found for name in ("stereo_3d", "spherical"))
