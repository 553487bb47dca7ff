"""The bytes of every resource of every asset: real ones for the first few hundred, then cheap."""

import functools
import io
import struct

import numpy as np
from PIL import Image, ImageDraw

from . import bases, filler
from .body import Body
from .exif import PLACEHOLDER_DATE, exif_bytes, exif_date, local_time, offset_text
from .specs import Role, Spec

MAC_EPOCH = 2_082_844_800
EXACT_FROM = 30_000
"""From this size on, cheap files are exactly as large as wanted."""
LOCATION_KEY = b"com.apple.quicktime.location.ISO6709"
CLASSES = (5, 6, 7, 8, 9, 10, 12, 16)
"""Sizes of cheap files, in eighths of the wanted size."""


class Media:
    """Makes bodies for one seed and one set of sizes."""

    def __init__(self, seed: int, photo_bytes: int, video_bytes: int) -> None:
        self.seed = seed
        self._photo_bytes = photo_bytes
        self._video_bytes = video_bytes
        self._recent = functools.lru_cache(64)(self._real)

    def size_of(self, spec: Spec, role: Role, edits: int) -> int:
        """The size alone; immediate for cheap assets."""
        spec = spec.origin or spec
        kind = spec.format(role)
        if not spec.real and kind in {"jpeg", "heic", "png", "mov"}:
            size = self._cheap_size(spec, kind)
            if size >= EXACT_FROM:
                return size
        return self.body(spec, role, edits).size

    def body(self, spec: Spec, role: Role, edits: int) -> Body:
        """The bytes of a resource; `edits` counts how often it was edited since."""
        spec = spec.origin or spec
        version = edits if role in {Role.EDITED, Role.EDITED_VIDEO} else 0
        kind = spec.format(role)
        if role in {Role.MEDIUM, Role.THUMB}:
            size = 6000 if role is Role.MEDIUM else 2000
            return filler.grow_jpeg(_small_jpeg(), size, self._comment(spec, role, version))
        if kind == "aae":
            return Body(_sidecar(self._identity(spec, role, version)))
        if kind == "dng":
            date = exif_date(spec.date_ms, spec.offset_s)
            identity = self._identity(spec, role, version)
            return filler.make_dng(self._cheap_size(spec, kind), identity, date)
        if spec.real:
            return self._recent(spec, role, version)
        return self._cheap(spec, role, kind, version)

    def _identity(self, spec: Spec, role: Role, version: int) -> bytes:
        return f"{self.seed}/{spec.zone}/{spec.index}/{role}/{version}".encode()

    def _comment(self, spec: Spec, role: Role, version: int) -> bytes:
        identity = self._identity(spec, role, version)
        return b"\xff\xfe" + struct.pack(">H", 2 + len(identity)) + identity

    def _cheap_size(self, spec: Spec, kind: str) -> int:
        if spec.size:
            return spec.size
        wanted = self._video_bytes if kind == "mov" else self._photo_bytes
        return wanted * CLASSES[spec.index * 31 % 8] // 8

    def _cheap(self, spec: Spec, role: Role, kind: str, version: int) -> Body:
        size = self._cheap_size(spec, kind)
        identity = self._identity(spec, role, version)
        if kind == "mov":
            film = _dated_film(bases.small_film(), spec)
            return filler.grow_boxes(film, size, identity, "mov", before=b"moov")
        if kind == "heic":
            return filler.grow_boxes(bases.heic_base(9, 64, 48), size, identity, "heic")
        if kind == "png":
            return filler.grow_png(_small_png(), size, identity)
        exif = exif_bytes(
            exif_date(spec.date_ms, spec.offset_s), offset_text(spec.offset_s), spec.location, 1
        )
        segment = b"\xff\xe1" + struct.pack(">H", 2 + len(exif)) + exif
        unique = segment + self._comment(spec, role, version)
        return filler.grow_jpeg(_small_jpeg(), size, unique)

    def _real(self, spec: Spec, role: Role, version: int) -> Body:
        kind = spec.format(role)
        identity = self._identity(spec, role, version)
        mark = struct.pack(">I", 8 + len(identity)) + b"free" + identity
        if kind == "mov":
            return Body(_dated_film(bases.film_base(spec.index + version + 1), spec) + mark)
        if kind == "heic":
            return Body(_dated_heic(bases.heic_base(spec.index % 3), spec) + mark)
        name = f"{identity.decode().replace('/', '-')}-{spec.date_ms}.{kind}"
        if kind == "png":
            return Body(bases.kept(name, lambda: _screenshot(spec, identity)))
        return Body(bases.kept(name, lambda: _photo(spec, role, version)))


def _photo(spec: Spec, role: Role, version: int) -> bytes:
    picture = np.roll(bases.texture(spec.index % 5), spec.index * 37 + version, axis=1)
    if role is Role.EDITED:
        picture = np.ascontiguousarray(255 - picture[::-1])
    upright = spec.index % 3 or role is Role.EDITED
    exif = exif_bytes(
        exif_date(spec.date_ms, spec.offset_s),
        offset_text(spec.offset_s),
        spec.location,
        1 if upright else 6,
    )
    return bases.jpeg(picture, 95, exif)


def _screenshot(spec: Spec, identity: bytes) -> bytes:
    picture = Image.new("RGB", (390, 844), (240, 240, 245))
    draw = ImageDraw.Draw(picture)
    for line in range(20):
        draw.rectangle(
            (20, 20 + line * 40, 20 + (spec.index * 37 + line * 61) % 350, 40 + line * 40)
        )
    draw.text((30, 30), identity.decode())
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return out.getvalue()


def _dated_heic(data: bytes, spec: Spec) -> bytes:
    date = exif_date(spec.date_ms, spec.offset_s).encode()
    return data.replace(PLACEHOLDER_DATE.encode(), date)


def _dated_film(data: bytes, spec: Spec) -> bytes:
    taken = local_time(spec.date_ms, spec.offset_s)
    latitude, longitude = spec.location or (0.0, 0.0)
    if spec.location is None:
        data = data.replace(LOCATION_KEY, b"x" * len(LOCATION_KEY))
    place = f"{latitude:+08.4f}{longitude:+09.4f}/"
    changed = bytearray(
        data.replace(
            bases.PLACEHOLDER_TIME.encode(), taken.strftime("%Y-%m-%dT%H:%M:%S%z").encode()
        )
        .replace(bases.PLACEHOLDER_LOCATION.encode(), place.encode())
        .replace(bases.PLACEHOLDER_IDENTIFIER.encode(), spec.identifier.encode())
    )
    stamp = struct.pack(">II", *[spec.date_ms // 1000 + MAC_EPOCH] * 2)
    for box in (b"mvhd\0", b"tkhd\0", b"mdhd\0"):
        at = changed.rfind(box)
        if at > 0:
            changed[at + 8 : at + 16] = stamp
    return bytes(changed)


@functools.cache
def _small_jpeg() -> bytes:
    return bases.jpeg(bases.texture(7, 64, 48), 80)


@functools.cache
def _small_png() -> bytes:
    return bases.png(bases.texture(8, 64, 48))


def _sidecar(identity: bytes) -> bytes:
    return (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" '
        b'"http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n'
        b'<plist version="1.0"><dict><key>adjustmentFormatIdentifier</key>'
        b"<string>com.apple.photo</string><key>adjustmentEditorBundleID</key><string>"
        + identity
        + b"</string></dict></plist>\n"
    )
