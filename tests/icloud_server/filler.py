"""Cheap assets: small valid files grown to any size with filler that decoders step over."""

import functools
import hashlib
import struct
import zlib

from .body import Body

BLOCK = 1 << 20
SEGMENT = 65_536


@functools.cache
def noise() -> bytes:
    """One MiB that does not compress."""
    return b"".join(hashlib.sha512(b"noise%d" % n).digest() for n in range(BLOCK // 64))


@functools.cache
def _segments() -> bytes:
    """The same as JPEG comment segments of 64 KiB each."""
    data = noise()
    starts = range(0, BLOCK, SEGMENT)
    marker = b"\xff\xfe" + struct.pack(">H", SEGMENT - 2)
    return b"".join(marker + data[at : at + SEGMENT - 4] for at in starts)


def grow_jpeg(base: bytes, size: int, unique: bytes) -> Body:
    """Comments after the start marker; then `unique`, a segment of its own; then the picture."""
    missing = max(size - len(base) - len(unique), 8)
    full, rest = divmod(missing, SEGMENT)
    if rest < 4:
        full, rest = full - 1, rest + SEGMENT
    short = b""
    for length in (rest // 2, rest - rest // 2):
        short += b"\xff\xfe" + struct.pack(">H", length - 2) + noise()[: length - 4]
    return Body(
        base[:2] + short,
        _segments(),
        full * SEGMENT,
        unique + base[2:],
        ("jpeg", full, rest),
    )


def grow_boxes(base: bytes, size: int, unique: bytes, family: str, *, before: bytes = b"") -> Body:
    """A `free` box in front of the last box (`moov`) or at the end, then one with `unique`."""
    at = base.rfind(before) - 4 if before else len(base)
    mark = struct.pack(">I", 8 + len(unique)) + b"free" + unique
    fill = max(size - len(base) - len(mark) - 8, 0)
    head = base[:at] + struct.pack(">I", 8 + fill) + b"free"
    digest = hashlib.sha256(head).digest()
    return Body(head, noise(), fill, base[at:] + mark, (family, digest, fill))


def chunk(kind: bytes, data: bytes) -> bytes:
    """One PNG chunk."""
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


@functools.lru_cache(64)
def _png_filler(fill: int) -> int:
    body = Body(b"fiLl", noise(), fill)
    checksum = 0
    for piece in body.chunks():
        checksum = zlib.crc32(piece, checksum)
    return checksum


def grow_png(base: bytes, size: int, unique: bytes) -> Body:
    """A private chunk after the header, then `unique` as text, then the picture."""
    text = chunk(b"tEXt", b"Comment\0" + unique)
    fill = max(size - len(base) - len(text) - 12, 0)
    head = base[:33] + struct.pack(">I", fill) + b"fiLl"
    tail = struct.pack(">I", _png_filler(fill)) + text + base[33:]
    return Body(head, noise(), fill, tail, ("png", hashlib.sha256(head).digest(), fill))


def make_dng(size: int, unique: bytes, date: str) -> Body:
    """A minimal DNG: noise as the raw strip, its directory at the end."""
    width = 128
    height = max((size - 600) // (2 * width), 2)
    fill = width * height * 2
    extra = b""
    texts = [b"Stand-in\0", b"Raw Camera\0", unique + b"\0", date.encode() + b"\0"]
    make, model, software, taken = (text + b"\0" * (len(text) % 2) for text in texts)
    entries: list[tuple[int, int, int, bytes]] = [
        (254, 4, 1, struct.pack("<I", 0)),
        (256, 4, 1, struct.pack("<I", width)),
        (257, 4, 1, struct.pack("<I", height)),
        (258, 3, 1, struct.pack("<HH", 16, 0)),
        (259, 3, 1, struct.pack("<HH", 1, 0)),
        (262, 3, 1, struct.pack("<HH", 32803, 0)),
        (271, 2, len(make), make),
        (272, 2, len(model), model),
        (273, 4, 1, struct.pack("<I", 8)),
        (277, 3, 1, struct.pack("<HH", 1, 0)),
        (278, 4, 1, struct.pack("<I", height)),
        (279, 4, 1, struct.pack("<I", fill)),
        (305, 2, len(software), software),
        (306, 2, len(taken), taken),
        (33421, 3, 2, struct.pack("<HH", 2, 2)),
        (33422, 1, 4, bytes((0, 1, 1, 2))),
        (50706, 1, 4, bytes((1, 4, 0, 0))),
        (50708, 2, len(model), model),
    ]
    extra_at = 8 + fill + 2 + 12 * len(entries) + 4
    directory = struct.pack("<H", len(entries))
    for tag, kind, count, value in entries:
        directory += struct.pack("<HHI", tag, kind, count)
        if len(value) <= 4:
            directory += value.ljust(4, b"\0")
        else:
            directory += struct.pack("<I", extra_at + len(extra))
            extra += value
    head = b"II*\0" + struct.pack("<I", 8 + fill)
    tail = directory + struct.pack("<I", 0) + extra
    return Body(head, noise(), fill, tail, ("dng", fill))
