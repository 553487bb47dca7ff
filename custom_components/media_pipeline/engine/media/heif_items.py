"""The items of a HEIC file, and adding an XMP packet and a film to one without touching pictures.

A HEIC holds its pictures, EXIF and XMP as items whose places in the file a table tells. The table
is written again with one more row and everything behind it moves by as much as it grew; the items'
own bytes stay what they were.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Final

from ..errors import BrokenContainer
from .boxes import Box, boxes
from .data import Data

XMP_TYPE: Final = b"application/rdf+xml"
_HEAD: Final = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where an item lies: in the file (``method`` 0) or in the table's own data (others)."""

    item: int
    method: int
    reference: int
    extents: tuple[tuple[int, int, int], ...]
    """(index, offset, length) of its pieces."""


class HeifItems:
    """A HEIC or AVIF still in memory. Raises BrokenContainer for what is not understood."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._data = Data(BytesIO(raw))
        top = list(boxes(self._data, 0, len(raw)))
        kinds = {box.kind: box for box in top}
        if b"meta" not in kinds or kinds.keys() & {b"moov", b"mpvd"}:
            raise BrokenContainer("not a plain still picture")
        self._meta = kinds[b"meta"]
        self._parts = {
            box.kind: box for box in boxes(self._data, self._meta.start + 4, self._meta.end)
        }
        if not self._parts.keys() >= {b"pitm", b"iinf", b"iloc"}:
            raise BrokenContainer("a still picture without a table of items")
        self.types = dict(self._read_types())
        self.places = {place.item: place for place in self._read_places()}

    @property
    def primary(self) -> int:
        """The number of the picture to show."""
        box = self._parts[b"pitm"]
        return self._data.number(box.start + 4, 4 if self._data.number(box.start, 1) else 2)

    @property
    def xmp_item(self) -> int | None:
        """The number of the picture's XMP packet; gain maps and depths have their own ones."""
        about = self._described()
        return next(
            (
                item
                for item, kind in self.types.items()
                if kind == XMP_TYPE and self.primary in about.get(item, {self.primary})
            ),
            None,
        )

    def bytes_of(self, item: int) -> bytes:
        """All bytes of an item that lies in the file or in the table's data."""
        place = self.places[item]
        base = 0
        if place.method == 1:
            base = self._parts[b"idat"].start
        return b"".join(self._raw[base + at : base + at + n] for _, at, n in place.extents)

    def with_motion(self, packet: bytes, film: bytes) -> bytes:
        """The same file with this XMP packet instead of its own, and a film at its end."""
        item = self.xmp_item
        number = item if item is not None else max(self.types, default=0) + 1
        if number > 0xFFFF:
            raise BrokenContainer("too many items")
        # twice, because where the packet goes depends on how long the table becomes
        table = self._table(number, 0, len(packet), 0, new=item is None)
        moved = len(table) - (self._meta.end - self._meta_at)
        packet_at = len(self._raw) + moved + _HEAD
        table = self._table(number, packet_at, len(packet), moved, new=item is None)
        return b"".join(
            (
                self._raw[: self._meta_at],
                table,
                self._raw[self._meta.end :],
                _box(b"mdat", packet),
                _box(b"mpvd", film),
            )
        )

    @property
    def _meta_at(self) -> int:
        return self._meta.start - _HEAD

    def _table(self, number: int, at: int, size: int, moved: int, *, new: bool) -> bytes:
        places = [
            self._moved(place, moved) for item, place in self.places.items() if item != number
        ]
        places.append(Place(number, 0, 0, ((0, at, size),)))
        parts = []
        for kind, box in self._parts.items():
            body = self._raw[box.start : box.end]
            if kind == b"iloc":
                body = _places(places)
            elif kind == b"iinf" and new:
                body = self._with_info(body, number)
            elif kind == b"iref" and new:
                body += _describes(number, self.primary, wide=bool(body[0]))
            parts.append(_box(kind, body))
        if new and b"iref" not in self._parts:
            parts.append(_box(b"iref", bytes(4) + _describes(number, self.primary, wide=False)))
        return _box(b"meta", self._raw[self._meta.start : self._meta.start + 4] + b"".join(parts))

    def _moved(self, place: Place, moved: int) -> Place:
        if place.method != 0:
            return place
        return replace(
            place,
            extents=tuple(
                (index, at + (moved if at >= self._meta.end else 0), size)
                for index, at, size in place.extents
            ),
        )

    @staticmethod
    def _with_info(body: bytes, number: int) -> bytes:
        width = 4 if body[0] else 2
        count = int.from_bytes(body[4 : 4 + width], "big") + 1
        info = struct.pack(">BxxxHH", 2, number, 0) + b"mime\0" + XMP_TYPE + b"\0"
        return body[:4] + count.to_bytes(width, "big") + body[4 + width :] + _box(b"infe", info)

    def _read_types(self) -> Iterator[tuple[int, bytes]]:
        """Yield each item's number and kind; for a ``mime`` item its content type."""
        box = self._parts[b"iinf"]
        first = box.start + (8 if self._data.number(box.start, 1) else 6)
        for info in boxes(self._data, first, box.end):
            body = self._raw[info.start : info.end]
            if info.kind != b"infe" or body[0] < 2:
                raise BrokenContainer("an item of an unknown kind")
            wide = 4 if body[0] > 2 else 2
            kind = body[6 + wide : 10 + wide]
            if kind == b"mime":
                kind = body[10 + wide :].split(b"\0")[1]
            yield int.from_bytes(body[4 : 4 + wide], "big"), kind

    def _described(self) -> dict[int, set[int]]:
        """Which items each item is about (``cdsc``)."""
        about: dict[int, set[int]] = {}
        if (box := self._parts.get(b"iref")) is None:
            return about
        wide = 4 if self._data.number(box.start, 1) else 2
        for reference in boxes(self._data, box.start + 4, box.end):
            if reference.kind == b"cdsc":
                at = reference.start
                item, count = self._data.number(at, wide), self._data.number(at + wide, 2)
                first = at + wide + 2
                about.setdefault(item, set()).update(
                    self._data.number(place, wide)
                    for place in range(first, min(first + wide * count, reference.end), wide)
                )
        return about

    def _read_places(self) -> Iterator[Place]:
        """Yield where each item is, with absolute offsets for those in the file."""
        box: Box = self._parts[b"iloc"]
        version = self._data.number(box.start, 1)
        sizes = self._data.number(box.start + 4, 2)
        wide = 4 if version == 2 else 2
        widths = (sizes & 15 if version else 0, sizes >> 12, sizes >> 8 & 15)
        base_width = sizes >> 4 & 15
        pos = box.start + 6

        def number(width: int) -> int:
            nonlocal pos
            pos += width
            if pos > box.end:
                raise BrokenContainer("the table of items is longer than its box")
            return self._data.number(pos - width, width) if width else 0

        for _ in range(number(wide)):
            item = number(wide)
            method = number(2) & 15 if version else 0
            reference = number(2)
            base = number(base_width)
            extents = []
            for _ in range(number(2)):
                index, offset, length = (number(width) for width in widths)
                if not length or reference:
                    raise BrokenContainer("an item in another file or of unknown length")
                extents.append((index, base + offset, length))
            yield Place(item, method, reference, tuple(extents))


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + _HEAD, kind) + body


def _describes(item: int, picture: int, *, wide: bool) -> bytes:
    """A reference that says: this item is about that picture."""
    number = "I" if wide else "H"
    return _box(b"cdsc", struct.pack(f">{number}H{number}", item, 1, picture))


def _places(places: list[Place]) -> bytes:
    """The content of an ``iloc`` box (version 1, four bytes for every number)."""
    body = struct.pack(">BxxxHH", 1, 0x4404, len(places))
    for place in places:
        body += struct.pack(">HHHH", place.item, place.method, place.reference, len(place.extents))
        for index, at, size in place.extents:
            body += struct.pack(">III", index, at, size)
    return body
