"""The moment a photo was taken, read cheaply from its EXIF data. Blocking."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Final

_READABLE: Final = frozenset({".jpg", ".jpeg", ".tif", ".tiff", ".png", ".webp"})
_EXIF_IFD: Final = 0x8769
_TAKEN: Final = 0x9003
_OFFSET: Final = 0x9011
_CHANGED: Final = 0x0132


def exif_date(path: Path) -> int | None:
    """Milliseconds since 1970, UTC where the photo names its zone; None when it has no date."""
    if path.suffix.lower() not in _READABLE:
        return None
    from PIL import Image

    try:
        with Image.open(path) as image:
            tags = image.getexif()
            inner = tags.get_ifd(_EXIF_IFD)
            taken, offset = inner.get(_TAKEN) or tags.get(_CHANGED), inner.get(_OFFSET)
    except OSError, ValueError, TypeError, SyntaxError, KeyError, Image.DecompressionBombError:
        return None
    return _milliseconds(taken, offset)


def _milliseconds(taken: object, offset: object) -> int | None:
    if not isinstance(taken, str):
        return None
    try:
        when = datetime.strptime(taken.strip("\0 ")[:19], "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007
    except ValueError:
        return None
    if when.year < 1800:
        return None
    return round(when.replace(tzinfo=_zone(offset)).timestamp() * 1000)


def _zone(offset: object) -> timezone:
    if isinstance(offset, str) and len(offset) >= 6 and offset[0] in "+-":
        hours, _, minutes = offset[1:6].partition(":")
        if hours.isdecimal() and minutes.isdecimal() and int(hours) < 24 and int(minutes) < 60:
            span = timedelta(hours=int(hours), minutes=int(minutes))
            return timezone(-span if offset[0] == "-" else span)
    return UTC
