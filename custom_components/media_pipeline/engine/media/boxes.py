"""The boxes of ISO-BMFF files, one level at a time."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import BrokenContainer
from .data import Data

_MOST = 1 << 18  # films in fragments have thousands; more is an attack on our time


class Box(NamedTuple):
    """One ISO-BMFF box: its kind, where its content starts, and where it ends."""

    kind: bytes
    start: int
    end: int


def boxes(data: Data, start: int, end: int) -> Iterator[Box]:
    """Yield the boxes between two positions.

    Up to 7 stray bytes at the end are tolerated (real iPhone movies have them); BrokenContainer
    when a box reaches beyond ``end`` or is smaller than its own head.
    """
    pos, count = start, 0
    while end - pos >= 8:
        if (count := count + 1) > _MOST:
            raise BrokenContainer(f"more than {_MOST} boxes")
        size, kind = struct.unpack(">I4s", data.read(pos, 8))
        head = 8
        if size == 1:
            size, head = data.number(pos + 8, 8), 16
        elif size == 0:
            size = end - pos
        if size < head or pos + size > end:
            raise BrokenContainer(f"box {kind!r} at {pos} says {size} bytes, {end - pos} are there")
        yield Box(kind, pos + head, pos + size)
        pos += size
