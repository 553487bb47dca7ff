"""ISO-BMFF (HEIC, AVIF, MOV, MP4): every box is inside the file, and so is all it points at."""

from collections.abc import Iterator

from ..errors import BrokenContainer
from .boxes import Box, boxes
from .data import Data

_AVIF = frozenset({b"avif", b"avis"})
_HEIF = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2", b"msf1", b"MiHE"}
)
_DEEPEST = 8
_CONTAINERS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl"})


def walk_bmff(data: Data) -> str:
    """Return ``heif``, ``avif``, ``mov``, ``mp4`` or ``cr3``; BrokenContainer when cut short."""
    end = len(data)
    top = list(boxes(data, 0, end))
    by_kind = {box.kind: box for box in top}
    name = _name(data, by_kind.get(b"ftyp"))
    if b"moov" not in by_kind and b"meta" not in by_kind:
        raise BrokenContainer("neither a moov nor a meta box: the file is cut short")
    if moov := by_kind.get(b"moov"):
        _check_tracks(data, moov, end)
    if (meta := by_kind.get(b"meta")) and name in {"heif", "avif"}:
        _check_items(data, meta, end)
    return name


def _name(data: Data, ftyp: Box | None) -> str:
    if ftyp is None:
        return "mov"
    raw = data.read(ftyp.start, min(ftyp.end - ftyp.start, 256))
    major = raw[:4]
    brands = {major, *(raw[at : at + 4] for at in range(8, len(raw) - 3, 4))}
    if major in _AVIF or (major in _HEIF and brands & _AVIF):
        return "avif"
    if major in _HEIF:
        return "heif"
    return {b"qt  ": "mov", b"crx ": "cr3"}.get(major, "mp4")


def _inner(data: Data, box: Box, depth: int = 0) -> Iterator[Box]:
    """All boxes below ``box`` that hold no other boxes, going through the known containers."""
    for child in boxes(data, box.start, box.end):
        if child.kind in _CONTAINERS:
            if depth > _DEEPEST:
                raise BrokenContainer("boxes are nested too deep")
            yield from _inner(data, child, depth + 1)
        else:
            yield child


def _check_tracks(data: Data, moov: Box, end: int) -> None:
    """Every chunk that a track names starts inside the file."""
    for box in _inner(data, moov):
        if box.kind not in {b"stco", b"co64"}:
            continue
        width = 4 if box.kind == b"stco" else 8
        first = box.start + 8
        count = data.number(box.start + 4, 4)
        if first + count * width > box.end:
            raise BrokenContainer("a table of chunks is longer than its box")
        if not count:
            continue
        # Tables are sorted in all files that cameras make; first and last tell enough.
        last = max(data.number(first, width), data.number(first + (count - 1) * width, width))
        if last >= end:
            raise BrokenContainer(f"media data at {last} is beyond the end at {end}")


def _check_items(data: Data, meta: Box, end: int) -> None:
    """Every extent of every item (``iloc``) lies inside the file."""
    for box in boxes(data, meta.start + 4, meta.end):
        if box.kind == b"iloc":
            for method, offset, size in _extents(data, box):
                if method == 0 and offset + size > end:
                    raise BrokenContainer(
                        f"picture data ends at {offset + size}, the file at {end}"
                    )


def _extents(data: Data, box: Box) -> Iterator[tuple[int, int, int]]:
    """Yield (construction method, absolute offset, size) of each extent of an ``iloc`` box."""
    version = data.number(box.start, 1)
    sizes = data.number(box.start + 4, 2)
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version else 0
    wide = 4 if version == 2 else 2
    pos = box.start + 6
    count = data.number(pos, wide)
    pos += wide
    for _ in range(count):
        pos += wide
        method = 0
        if version:
            method = data.number(pos, 2) & 15
            pos += 2
        base = data.number(pos + 2, base_size)
        pos += 2 + base_size
        extents = data.number(pos, 2)
        pos += 2
        if not index_size + offset_size + length_size:
            continue  # nothing is said about them, however many there are
        for _ in range(extents):
            pos += index_size
            offset = data.number(pos, offset_size)
            size = data.number(pos + offset_size, length_size)
            pos += offset_size + length_size
            if pos > box.end:
                raise BrokenContainer("the table of picture data is longer than its box")
            yield method, base + offset, size
