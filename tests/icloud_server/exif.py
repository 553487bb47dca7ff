"""EXIF blocks and dates as cameras write them."""

import datetime as dt

from PIL import Image
from PIL.TiffImagePlugin import IFDRational

PLACEHOLDER_DATE = "2001:02:03 04:05:06"


def local_time(date_ms: int, offset_s: int) -> dt.datetime:
    """The local time of a capture."""
    zone = dt.timezone(dt.timedelta(seconds=offset_s))
    return dt.datetime.fromtimestamp(date_ms // 1000, zone)


def exif_date(date_ms: int, offset_s: int) -> str:
    """YYYY:MM:DD HH:MM:SS in local time."""
    return local_time(date_ms, offset_s).strftime("%Y:%m:%d %H:%M:%S")


def offset_text(offset_s: int) -> str:
    """+HH:MM."""
    sign = "-" if offset_s < 0 else "+"
    return f"{sign}{abs(offset_s) // 3600:02}:{abs(offset_s) % 3600 // 60:02}"


def degrees(value: float) -> tuple[IFDRational, IFDRational, IFDRational]:
    """Degrees, minutes, hundredths of seconds."""
    hundredths = round(abs(value) * 360_000)
    return (
        IFDRational(hundredths // 360_000, 1),
        IFDRational(hundredths % 360_000 // 6000, 1),
        IFDRational(hundredths % 6000, 100),
    )


def exif_bytes(
    date: str, offset: str, location: tuple[float, float] | None, orientation: int
) -> bytes:
    """An EXIF block with capture date, camera, orientation and place."""
    exif = Image.Exif()
    exif[0x010F] = "Apple"
    exif[0x0110] = "iPhone 15 Pro"
    exif[0x0112] = orientation
    exif[0x0132] = date
    inner = exif.get_ifd(0x8769)
    inner[0x9003] = date
    inner[0x9004] = date
    inner[0x9010] = offset
    inner[0x9011] = offset
    if location is not None:
        place = exif.get_ifd(0x8825)
        place[1] = "N" if location[0] >= 0 else "S"
        place[2] = degrees(location[0])
        place[3] = "E" if location[1] >= 0 else "W"
        place[4] = degrees(location[1])
    return exif.tobytes()
