"""The moment of a Live Photo's film at which its still was taken, as Apple's timed note tells."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ..errors import BrokenContainer
from .boxes import Box, boxes
from .data import Data

_KEY: Final = b"com.apple.quicktime.still-image-time"
_UNKNOWN: Final = -1


def still_time(film: Path) -> int:
    """Microseconds from the film's start; -1 (Google's word for unknown) when it doesn't say.

    The note is one sample in a track of its own, put at its moment by an empty edit before it.
    """
    with film.open("rb") as file:
        data = Data(file)
        try:
            for outer in boxes(data, 0, len(data)):
                if outer.kind == b"moov":
                    return _in_movie(data, outer)
        except BrokenContainer:
            return _UNKNOWN
    return _UNKNOWN


def _in_movie(data: Data, movie: Box) -> int:
    scale = 0
    for box in boxes(data, movie.start, movie.end):
        if box.kind == b"mvhd":
            at = box.start + (20 if data.number(box.start, 1) == 1 else 12)
            scale = data.number(at, 4)
        if box.kind == b"trak" and scale:
            inner = dict(_descend(data, box))
            names = inner.get(b"stsd")
            if names and _KEY in data.read(names.start, names.end - names.start):
                return _empty_edit(data, inner.get(b"elst"), scale)
    return _UNKNOWN


def _descend(data: Data, box: Box) -> Iterator[tuple[bytes, Box]]:
    for child in boxes(data, box.start, box.end):
        if child.kind in {b"edts", b"mdia", b"minf", b"stbl"}:
            yield from _descend(data, child)
        else:
            yield child.kind, child


def _empty_edit(data: Data, edits: Box | None, scale: int) -> int:
    """How long the first, empty edit lasts, in microseconds."""
    if edits is None or not data.number(edits.start + 4, 4):
        return 0
    width = 8 if data.number(edits.start, 1) == 1 else 4
    length = data.number(edits.start + 8, width)
    media = data.number(edits.start + 8 + width, width)
    empty = media == (1 << 8 * width) - 1
    return round(length * 1_000_000 / scale) if empty else 0
