"""What a photo says about itself."""

import struct
from pathlib import Path
from typing import Any, Final

from PIL import Image, UnidentifiedImageError

from ..errors import MediaUnreadable
from .apple_note import BURST_ID, CONTENT_ID, apple_text
from .dates import Moment, exif_moment
from .exif import EXIF_IFD, Exif
from .jobs import ProbeResult
from .metadata import EXIF_HEADER
from .xmp import Xmp

_LONGEST_RAW: Final = 256 << 20
_GPS_IFD: Final = 0x8825
# EXIF "custom rendered", with the values that iPhones use beside the standard's
_RENDERED: Final = {6: "panorama", 7: "portrait", 8: "portrait"}
_GAIN_MAPS: Final = ("hdrgainmap", "hdrgm:")
_DATES: Final = ("exif:DateTimeOriginal", "photoshop:DateCreated", "xmp:CreateDate")


def probe_photo(path: Path, container: str) -> ProbeResult:
    """Return what a photo says; MediaUnreadable when it is none."""
    if container == "heif":
        import pillow_heif

        pillow_heif.register_heif_opener()
    Image.MAX_IMAGE_PIXELS = None  # nothing is decoded here
    try:
        with Image.open(path) as image:
            return _read(image, container)
    except UnidentifiedImageError as err:
        if container == "tiff":
            return _read_raw(path)
        raise MediaUnreadable(f"not a picture: {container}") from err
    except (SyntaxError, ValueError, struct.error, RuntimeError) as err:
        raise MediaUnreadable(f"the picture can't be read: {err}") from err


def _read(image: Image.Image, container: str) -> ProbeResult:
    exif = image.getexif()
    details = exif.get_ifd(EXIF_IFD)
    orientation = int(image.info.get("original_orientation") or exif.get(0x112) or 1)
    width, height = image.size
    if container not in {"heif", "avif"} and orientation in {5, 6, 7, 8}:
        width, height = height, width
    xmp = _xmp(image)
    taken = _taken(image, exif, xmp)
    latitude, longitude, altitude = _place(exif.get_ifd(_GPS_IFD))
    note = details.get(0x927C)
    content_id = apple_text(note, CONTENT_ID)
    return ProbeResult(
        kind="photo",
        container=container,
        codec=(image.format or container).lower(),
        width=width,
        height=height,
        orientation=orientation if 1 <= orientation <= 8 else 1,
        captured=taken.iso if taken else None,
        captured_from=taken.source if taken else None,
        latitude=latitude,
        longitude=longitude,
        altitude=altitude,
        content_id=content_id,
        make=text(exif.get(0x10F)),
        model=text(exif.get(0x110)),
        lens=text(details.get(0xA434)),
        bits=_bits(image),
        hdr="gain_map" if _has_gain_map(image) else None,
        subtype=_subtype(details, xmp, note, content_id),
    )


def _read_raw(path: Path) -> ProbeResult:
    """A RAW format that Pillow doesn't know: what its TIFF directories say, sizes where named."""
    with path.open("rb") as file:
        raw = file.read(_LONGEST_RAW)
    try:
        exif = Exif(raw)
    except ValueError as err:
        raise MediaUnreadable(f"the RAW can't be read: {err}") from err
    details = exif.deeper(EXIF_IFD)
    sizes = [
        int.from_bytes(exif.value(details, tag) or exif.value(exif.main, other) or b"", exif.order)
        for tag, other in ((0xA002, 0x100), (0xA003, 0x101))
    ]
    taken = exif_moment(raw)
    return ProbeResult(
        kind="photo",
        container="tiff",
        codec="raw",
        width=sizes[0],
        height=sizes[1],
        captured=taken.iso if taken else None,
        captured_from=taken.source if taken else None,
        make=exif.text(exif.main, 0x10F),
        model=exif.text(exif.main, 0x110),
        lens=exif.text(details, 0xA434),
        bits=16,
    )


def _taken(image: Image.Image, exif: Image.Exif, xmp: Xmp | None) -> Moment | None:
    raw = image.info.get("exif") or b""
    if not isinstance(raw, bytes) or not raw:
        try:
            raw = exif.tobytes() if len(exif) else b""
        except ValueError, TypeError, KeyError, struct.error:  # odd values in a RAW
            raw = b""
    said = next((found for name in _DATES if xmp and (found := xmp.get(name))), None)
    return exif_moment(raw.removeprefix(EXIF_HEADER), said)


def _xmp(image: Image.Image) -> Xmp | None:
    raw = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    raw = raw.encode() if isinstance(raw, str) else raw
    try:
        return Xmp(raw) if isinstance(raw, bytes) and raw else None
    except ValueError:
        return None


def _subtype(details: Any, xmp: Xmp | None, note: object, content_id: str | None) -> str | None:
    comment = str(details.get(0x9286) or (xmp.get("exif:UserComment") if xmp else None) or "")
    if "Screenshot" in comment or (xmp and "Screenshot" in xmp.listed("exif:UserComment")):
        return "screenshot"
    if rendered := _RENDERED.get(_whole(details.get(0xA401))):
        return rendered
    if xmp and xmp.get("GPano:ProjectionType"):
        return "panorama"
    if apple_text(note, BURST_ID):
        return "burst"
    return "live" if content_id else None


def _has_gain_map(image: Image.Image) -> bool:
    said = [*image.info.get("aux", {}), str(image.info.get("xmp") or "")]
    return any(mark in text.lower() for text in said for mark in _GAIN_MAPS)


def _bits(image: Image.Image) -> int:
    bits = image.info.get("bit_depth")  # of a HEIC
    if isinstance(bits, int):
        return bits
    return 16 if image.mode.startswith("I;16") else 8


def _place(ifd: Any) -> tuple[float | None, float | None, float | None]:
    """(latitude, longitude, altitude) of the GPS part."""
    try:
        values = []
        for degrees, reference in ((ifd[2], ifd.get(1, "N")), (ifd[4], ifd.get(3, "E"))):
            value = sum(float(part) / 60**place for place, part in enumerate(degrees))
            values.append(round(-value if str(reference).strip("\0") in {"S", "W"} else value, 7))
    except KeyError, TypeError, ValueError, ZeroDivisionError:
        return None, None, None
    latitude, longitude = valid_place(*values)
    try:
        below = bytes(ifd.get(5) or b"\0")[:1] == b"\1"
        height = round(-float(ifd[6]) if below else float(ifd[6]), 3)
    except KeyError, TypeError, ValueError, ZeroDivisionError:
        height = None
    return latitude, longitude, height if latitude is not None else None


def valid_place(latitude: float, longitude: float) -> tuple[float | None, float | None]:
    """The place, unless no globe has it. A place of exactly 0, 0 is an unset one."""
    if abs(latitude) <= 90 and abs(longitude) <= 180 and (latitude or longitude):
        return latitude, longitude  # also refuses not-a-number
    return None, None


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def text(value: object) -> str | None:
    """A text without padding; None for an empty one."""
    return str(value).strip("\0 ") or None if value else None
