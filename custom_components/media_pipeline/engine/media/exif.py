"""Changing EXIF data without moving any of it: maker notes hold positions that must stay true.

Image libraries write EXIF anew, and the notes of many cameras then point nowhere. Here an entry is
taken out or patched in place, or a directory is written again at the end; all other bytes stay
where they are.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

ORIENTATION: Final = 0x112
EXIF_IFD: Final = 0x8769
GPS_IFD: Final = 0x8825
DATE_TAKEN: Final = 0x9003
DATE_ZONE: Final = 0x9011
MAKER_NOTE: Final = 0x927C
_WIDTHS: Final = ((0x100, 0x101), (0xA002, 0xA003))  # (width, height) in the main and EXIF part
_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_MOST = 512
ASCII: Final = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a directory: where it lies, and where its value does."""

    tag: int
    kind: int
    count: int
    at: int
    value_at: int

    @property
    def size(self) -> int:
        """Length of the value in bytes."""
        return _SIZES.get(self.kind, 1) * self.count


class Exif:
    """EXIF data (a TIFF structure, without the word ``Exif`` before it) that can be changed.

    Reading is forgiving, because cameras are not: what points outside is not there. Raises
    ValueError for data that is no TIFF structure at all.
    """

    def __init__(self, raw: bytes) -> None:
        self._raw = bytearray(raw)
        if raw[:4] not in {b"II*\0", b"MM\0*"} or len(raw) < 8:
            raise ValueError("EXIF data without a TIFF header")
        self._order = "<" if raw[:2] == b"II" else ">"

    def __bytes__(self) -> bytes:
        return bytes(self._raw)

    @property
    def order(self) -> Literal["little", "big"]:
        """The byte order of all numbers."""
        return "little" if self._order == "<" else "big"

    @property
    def main(self) -> int:
        """Where the first directory is."""
        return self._number(4, 4)

    def deeper(self, tag: int) -> int | None:
        """Where the directory is that the main one names (``EXIF_IFD``, ``GPS_IFD``)."""
        entry = self.entry(self.main, tag)
        return self._number(entry.value_at, 4) if entry and entry.size == 4 else None

    def entries(self, ifd: int) -> Iterator[Entry]:
        """All readable entries of a directory."""
        if ifd + 2 > len(self._raw):
            return
        for number in range(min(self._number(ifd, 2), _MOST)):
            at = ifd + 2 + 12 * number
            if at + 12 > len(self._raw):
                return
            tag, kind, count = struct.unpack_from(f"{self._order}HHI", self._raw, at)
            entry = Entry(tag, kind, count, at, at + 8)
            if entry.size > 4:
                entry = Entry(tag, kind, count, at, self._number(at + 8, 4))
            if entry.value_at + entry.size <= len(self._raw):
                yield entry

    def entry(self, ifd: int | None, tag: int) -> Entry | None:
        """One entry of a directory, or None."""
        if ifd is None:
            return None
        return next((entry for entry in self.entries(ifd) if entry.tag == tag), None)

    def value(self, ifd: int | None, tag: int) -> bytes | None:
        """The raw bytes of a value."""
        entry = self.entry(ifd, tag)
        return bytes(self._raw[entry.value_at : entry.value_at + entry.size]) if entry else None

    def text(self, ifd: int | None, tag: int) -> str | None:
        """A text without its padding; None when there is none or it is empty."""
        raw = self.value(ifd, tag)
        return raw.decode(errors="replace").strip("\0 ") or None if raw else None

    def remove(self, ifd: int, tag: int, *, wipe: bool = False) -> None:
        """Take an entry out; the later ones move up, no value moves. ``wipe`` zeroes its value."""
        entry = self.entry(ifd, tag)
        if entry is None:
            return
        if wipe:
            self._raw[entry.value_at : entry.value_at + entry.size] = bytes(entry.size)
        count = self._number(ifd, 2)
        end = min(ifd + 2 + 12 * count + 4, len(self._raw))  # the link to the next one comes along
        rest = bytes(self._raw[entry.at + 12 : end])
        self._raw[entry.at : end] = rest + bytes(end - entry.at - len(rest))
        struct.pack_into(f"{self._order}H", self._raw, ifd, count - 1)

    def forget_thumbnail(self) -> None:
        """Cut the link to the second directory, which describes the small picture."""
        at = self.main + 2 + 12 * self._number(self.main, 2)
        if at + 4 <= len(self._raw):
            self._raw[at : at + 4] = bytes(4)

    def set_size(self, width: int, height: int) -> None:
        """Say the picture's new size wherever a size is said."""
        for ifd, tags in zip((self.main, self.deeper(EXIF_IFD)), _WIDTHS, strict=True):
            for tag, value in zip(tags, (width, height), strict=True):
                entry = self.entry(ifd, tag)
                if entry and entry.count == 1 and entry.kind in {3, 4}:
                    kind = "H" if entry.kind == 3 else "I"
                    fits = value <= 0xFFFF or kind == "I"
                    struct.pack_into(self._order + kind, self._raw, entry.at + 8, value * fits)

    def add_texts(self, texts: dict[int, str]) -> None:
        """Set texts in the EXIF directory, which is written again at the end of the data."""
        ifd = self.deeper(EXIF_IFD)
        kept = [e for e in self.entries(ifd) if e.tag not in texts] if ifd is not None else []
        items = [(entry.tag, bytes(self._raw[entry.at : entry.at + 12])) for entry in kept]
        self._raw += bytes(len(self._raw) % 2)
        values_at = len(self._raw) + 2 + 12 * (len(items) + len(texts)) + 4
        values = b""
        for tag, text in texts.items():
            raw = text.encode() + b"\0"
            head = struct.pack(f"{self._order}HHI", tag, ASCII, len(raw))
            if len(raw) <= 4:
                items.append((tag, head + raw.ljust(4, b"\0")))
            else:
                where = values_at + len(values)
                items.append((tag, head + struct.pack(f"{self._order}I", where)))
                values += raw + bytes(len(raw) % 2)
        new = len(self._raw)
        self._raw += struct.pack(f"{self._order}H", len(items))
        self._raw += b"".join(item for _, item in sorted(items)) + bytes(4) + values
        self._point_at(new)

    def _point_at(self, exif_ifd: int) -> None:
        """Make the main directory name this EXIF directory; it must have an entry for it."""
        entry = self.entry(self.main, EXIF_IFD)
        if entry is None:
            raise ValueError("EXIF data without an EXIF directory")
        struct.pack_into(f"{self._order}I", self._raw, entry.at + 8, exif_ifd)

    def _number(self, at: int, size: int) -> int:
        raw = bytes(self._raw[at : at + size])
        return int.from_bytes(raw, self.order)


def empty_exif() -> Exif:
    """EXIF data that says nothing yet."""
    main = struct.pack(">HHHII", 1, EXIF_IFD, 4, 1, 26) + bytes(4)  # the EXIF part follows, empty
    return Exif(b"MM\0*\0\0\0\x08" + main + bytes(6))
