"""TIFF and the RAW formats built on it (DNG, CR2, NEF, ARW): all they point at is in the file."""

from itertools import batched
from typing import Literal

from ..errors import BrokenContainer
from .data import Data

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_OFFSETS = {
    273: 279,
    324: 325,
    513: 514,
}  # strips, tiles, embedded JPEG: where they are -> how long
_DEEPER = frozenset({330, 34665, 34853})  # sub-pictures, EXIF, GPS
_MOST_IFDS = 64
_MOST_VALUES = 1 << 16


def walk_tiff(data: Data) -> str:
    """Return ``tiff``; BrokenContainer when a directory, value or strip ends after the file."""
    big = data.read(0, 2) == b"MM"
    if data.number(2, 2, big=big) == 43:  # BigTIFF: only its first directory is looked for
        _inside(data, data.number(8, 8, big=big), 8)
        return "tiff"
    todo, done = [data.number(4, 4, big=big)], set[int]()
    while todo and len(done) < _MOST_IFDS:
        at = todo.pop()
        if at and at not in done:
            done.add(at)
            todo += _walk_ifd(data, at, big=big)
    return "tiff"


def _inside(data: Data, start: int, size: int) -> None:
    if start + size > len(data):
        raise BrokenContainer(f"TIFF data ends at {start + size}, the file at {len(data)}")


def _walk_ifd(data: Data, at: int, *, big: bool) -> list[int]:
    """Check one directory; return the positions of the directories that it names."""
    count = data.number(at, 2, big=big)
    _inside(data, at + 2, count * 12)
    found: dict[int, list[int]] = {}
    for pos in range(at + 2, at + 2 + count * 12, 12):
        tag = data.number(pos, 2, big=big)
        kind = data.number(pos + 2, 2, big=big)
        values = data.number(pos + 4, 4, big=big)
        width = _SIZES.get(kind, 1)
        where = pos + 8
        if width * values > 4:
            where = data.number(pos + 8, 4, big=big)
            _inside(data, where, width * values)
        if (
            tag not in found
            and values <= _MOST_VALUES
            and kind in {3, 4, 13}
            and (tag in _OFFSETS or tag in _OFFSETS.values() or tag in _DEEPER)
        ):
            raw = data.read(where, width * values)
            order: Literal["big", "little"] = "big" if big else "little"
            found[tag] = [
                int.from_bytes(bytes(part), order) for part in batched(raw, width, strict=True)
            ]
    for starts, lengths in _OFFSETS.items():
        for start, length in zip(found.get(starts, ()), found.get(lengths, ()), strict=False):
            _inside(data, start, length)
    following = at + 2 + count * 12
    deeper = [offset for tag in _DEEPER for offset in found.get(tag, ())]
    if following + 4 <= len(data):
        deeper.append(data.number(following, 4, big=big))
    return deeper
