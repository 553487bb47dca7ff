"""When was it taken? Cameras with an empty battery, broken writers and zero values say nonsense.

A date counts only between the first photograph and tomorrow, and not when it is exactly the zero of
a clock: 1904 (QuickTime), 1970 (Unix), 1980 (cameras, FAT, GPS), 2001 (Apple). A day's zero at any
zone counts as such a zero, because writers without a zone move it.

Of several dates in a photo the first that makes sense wins: EXIF taken, EXIF digitised, the GPS
clock, XMP, EXIF changed; in a film Apple's key with its zone, then the container's (UTC). What the
source says (iCloud: as the owner corrected it) names and orders files; a file's own date only fills
in where the source has none that makes sense.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from .exif import EXIF_IFD, GPS_IFD, Exif

_FIRST: Final = datetime(1826, 1, 1, tzinfo=UTC)
_ZEROS: Final = (
    *(datetime(year, 1, 1, tzinfo=UTC) for year in (1904, 1970, 1980, 2001)),
    datetime(1980, 1, 6, tzinfo=UTC),
)
_DATE: Final = re.compile(r"(\d{4})[:\-/.](\d\d)[:\-/.](\d\d)[ T](\d\d):(\d\d):(\d\d)")
_ZONE: Final = re.compile(r"[+-]\d\d:\d\d")
_FARTHEST: Final = timedelta(hours=14)


@dataclass(frozen=True, slots=True)
class Moment:
    """A date that makes sense: ISO 8601, with zone when the file names one, and who said it."""

    iso: str
    source: str

    @property
    def when(self) -> datetime:
        """As a date; without a zone it is taken as UTC."""
        found = datetime.fromisoformat(self.iso)
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    @property
    def milliseconds(self) -> int:
        """Since 1970, UTC."""
        return round(self.when.timestamp() * 1000)

    @property
    def zone(self) -> int | None:
        """Seconds east of UTC; None when the file does not say."""
        offset = datetime.fromisoformat(self.iso).utcoffset()
        return None if offset is None else int(offset.total_seconds())


def makes_sense(when: datetime, now: datetime | None = None) -> bool:
    """Whether a photo can have been taken then."""
    moment = when if when.tzinfo else when.replace(tzinfo=UTC)
    if not _FIRST <= moment <= (now or datetime.now(UTC)) + timedelta(days=1):
        return False
    for zero in _ZEROS:
        apart = moment - zero
        # a zero that a zone has moved lies whole quarters of an hour away
        if abs(apart) <= _FARTHEST and apart % timedelta(minutes=15) == timedelta(0):
            return False
    return True


def first_sensible(found: Iterable[tuple[str, str | None]]) -> Moment | None:
    """The first of (source, ISO 8601) that makes sense."""
    for source, iso in found:
        try:
            if iso and makes_sense(when := datetime.fromisoformat(iso)):
                return Moment(iso if when.microsecond else when.isoformat(), source)
        except ValueError, OverflowError:
            continue
    return None


def exif_moment(raw: bytes, xmp_date: str | None = None) -> Moment | None:
    """When a photo was taken, from its EXIF data and a date of its XMP."""
    try:
        exif = Exif(raw)
    except ValueError:
        return first_sensible([("xmp", xmp_date)])
    part = exif.deeper(EXIF_IFD)

    def said(ifd: int | None, date: int, parts: int, zone: int) -> str | None:
        return _iso(exif.text(ifd, date), exif.text(part, parts), exif.text(part, zone))

    return first_sensible(
        [
            ("exif_taken", said(part, 0x9003, 0x9291, 0x9011)),
            ("exif_digitized", said(part, 0x9004, 0x9292, 0x9012)),
            ("gps", _gps_clock(exif)),
            ("xmp", xmp_date),
            ("exif_changed", said(exif.main, 0x132, 0x9290, 0x9010)),
        ]
    )


def _iso(text: str | None, parts: str | None, zone: str | None) -> str | None:
    found = _DATE.match(text or "")
    if found is None:
        return None
    digits = re.sub(r"\D.*", "", parts or "")[:6]
    offset = zone if zone and _ZONE.fullmatch(zone) else ""
    year, month, day, *clock = found.groups()
    return f"{year}-{month}-{day}T{':'.join(clock)}{'.' + digits if digits else ''}{offset}"


def _gps_clock(exif: Exif) -> str | None:
    """The satellites' date and time (UTC), as whole seconds."""
    ifd = exif.deeper(GPS_IFD)
    date, raw = exif.text(ifd, 0x1D), exif.value(ifd, 7)
    if not date or raw is None or len(raw) != 24:
        return None
    hour, minute, second = rationals(exif, raw)
    return _iso(f"{date} {int(hour):02d}:{int(minute):02d}:{int(second):02d}", None, "+00:00")


def rationals(exif: Exif, raw: bytes) -> list[float]:
    """The unsigned fractions in a value; one with a zero below is 0."""
    order = exif.order
    numbers = [int.from_bytes(raw[at : at + 4], order) for at in range(0, len(raw), 4)]
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    return [above / below if below else 0.0 for above, below in pairs]
