"""PNG, GIF, RIFF (WebP, AVI) and property lists (AAE): walked from the first byte to the last."""

from ..errors import BrokenContainer
from .data import Data


def walk_png(data: Data) -> str:
    """Return ``png``; every chunk up to IEND is there and has the right checksum."""
    pos, size = 8, len(data)
    while pos + 12 <= size:
        length = data.number(pos, 4)
        kind = data.read(pos + 4, 4)
        if pos + 12 + length > size:
            break
        if data.crc32(pos + 4, pos + 8 + length) != data.number(pos + 8 + length, 4):
            raise BrokenContainer(f"PNG chunk {kind!r} at {pos} has a wrong checksum")
        pos += 12 + length
        if kind == b"IEND":
            return "png"
    raise BrokenContainer("the PNG has no end chunk: it is cut short")


def walk_gif(data: Data) -> str:
    """Return ``gif``; the blocks lead to the trailer."""
    flags = data.number(10, 1)
    pos = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    while pos < len(data):
        kind = data.number(pos, 1)
        if kind == 0x3B:
            return "gif"
        if kind == 0x21:
            pos += 2
        elif kind == 0x2C:
            flags = data.number(pos + 9, 1)
            pos += 11 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
        else:
            raise BrokenContainer(f"unknown GIF block at {pos}")
        while step := data.number(pos, 1):
            pos += 1 + step
        pos += 1
    raise BrokenContainer("the GIF has no trailer: it is cut short")


def walk_riff(data: Data) -> str:
    """Return ``webp``, ``avi`` or ``unknown``; the announced length is there."""
    length = data.number(4, 4, big=False)
    if 8 + length > len(data):
        raise BrokenContainer(f"RIFF says {8 + length} bytes, {len(data)} are there")
    return {b"WEBP": "webp", b"AVI ": "avi"}.get(data.read(8, 4), "unknown")


def walk_plist(data: Data) -> str:
    """Return ``plist``; an XML list is closed, a binary one has its table of offsets."""
    if data.read(0, 6) != b"bplist":
        if not data.read(max(len(data) - 64, 0), 64).rstrip(b"\0 \t\r\n").endswith(b"</plist>"):
            raise BrokenContainer("the property list is not closed: it is cut short")
        return "plist"
    trailer = len(data) - 32
    if trailer < 8:
        raise BrokenContainer("the property list is cut short")
    width = data.number(trailer + 6, 1)
    count = data.number(trailer + 8, 8)
    table = data.number(trailer + 24, 8)
    if not 1 <= width <= 8 or not count or table < 8 or table + width * count != trailer:
        raise BrokenContainer("the property list has no table of offsets: it is cut short")
    return "plist"
