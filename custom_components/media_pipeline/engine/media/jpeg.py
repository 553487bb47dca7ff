"""JPEG: its segments, where its picture ends, and what some phones hide around it."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import BrokenContainer
from .data import Data

_SOI, _EOI, _SOS, _DNL = 0xD8, 0xD9, 0xDA, 0xDC
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_FRAMES = frozenset({*range(0xC0, 0xD0)}) - {0xC4, 0xC8, 0xCC}
# The next real marker inside coded picture data: not a stuffed zero, restart mark or fill byte.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


@dataclass(frozen=True, slots=True)
class Segment:
    """One marker segment; ``start`` is where its marker begins, ``body`` where its content does."""

    marker: int
    start: int
    body: int
    end: int


@dataclass(frozen=True, slots=True)
class JpegLayout:
    """The segments before the first scan, and the position just after the end-of-image marker."""

    segments: tuple[Segment, ...]
    frame: Segment
    end: int


def jpeg_layout(data: Data) -> JpegLayout:
    """Walk a JPEG from its start to its end-of-image marker; BrokenContainer when it has none."""
    if "jpeg" not in data.known:
        data.known["jpeg"] = _walk(data)
    found: JpegLayout = data.known["jpeg"]
    return found


def head_segments(data: Data) -> tuple[Segment, ...]:
    """The segments before the first scan; what comes after that one isn't looked at."""
    return tuple(itertools.takewhile(lambda one: one.marker != _SOS, _segments(data)))


def picture_size(data: Data, layout: JpegLayout) -> tuple[int, int]:
    """(Width, height) in pixels, as they are stored."""
    at = layout.frame.body
    return data.number(at + 3, 2), data.number(at + 1, 2)


def _walk(data: Data) -> JpegLayout:
    segments: list[Segment] = []
    frame: Segment | None = None
    seen_scan = False
    for segment in _segments(data):
        if segment.marker == _EOI:
            if frame is None or not seen_scan:
                raise BrokenContainer("the JPEG ends before its picture")
            return JpegLayout(tuple(segments), frame, segment.end)
        if segment.marker in _FRAMES and frame is None:
            frame = segment
        if segment.marker == _SOS:
            seen_scan = True
        elif not seen_scan:
            segments.append(segment)
    raise BrokenContainer("the JPEG has no end-of-image marker: it is cut short")


def _segments(data: Data) -> Iterator[Segment]:
    """Yield every segment after the start-of-image marker; scans end where their data ends."""
    size, pos = len(data), 2
    while pos + 2 <= size:
        lead, marker = data.read(pos, 2)
        if lead != 0xFF:
            raise BrokenContainer(f"no JPEG marker at {pos}")
        if marker == 0xFF:  # a fill byte
            pos += 1
        elif marker == _EOI:
            yield Segment(marker, pos, pos + 2, pos + 2)
            return
        elif marker in _STANDALONE:
            pos += 2
        else:
            end = pos + 2 + max(data.number(pos + 2, 2), 2)
            if end > size:
                raise BrokenContainer(f"a JPEG segment at {pos} reaches beyond the end")
            start, body = pos, pos + 4
            if marker == _SOS:
                found = data.search(_MARKER, end, 2)
                if found is None:
                    raise BrokenContainer("JPEG picture data has no end: it is cut short")
                end = found
            yield Segment(marker, start, body, end)
            pos = end


def walk_jpeg(data: Data) -> str:
    """Return ``jpeg``; BrokenContainer when the picture or one it refers to is cut short."""
    layout = jpeg_layout(data)
    for segment in layout.segments:
        if segment.marker == 0xE2 and data.read(segment.body, 4) == b"MPF\0":
            _check_mpf(data, segment.body + 4, segment.end)
    return "jpeg"


def _check_mpf(data: Data, base: int, end: int) -> None:
    """The further pictures of a multi-picture file (gain map, preview) lie inside the file."""
    big = data.read(base, 2) == b"MM"
    ifd = base + data.number(base + 4, 4, big=big)
    for entry in range(min(data.number(ifd, 2, big=big), 64)):
        at = ifd + 2 + entry * 12
        if data.number(at, 2, big=big) != 0xB002:
            continue
        table = base + data.number(at + 8, 4, big=big)
        for row in range(table, min(table + data.number(at + 4, 4, big=big), end), 16):
            size = data.number(row + 4, 4, big=big)
            offset = data.number(row + 8, 4, big=big)
            if offset and base + offset + size > len(data):
                raise BrokenContainer("a further picture of the JPEG is cut short")
