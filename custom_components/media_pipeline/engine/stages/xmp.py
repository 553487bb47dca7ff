"""The XMP sidecar: captions, keywords, albums, place, time and rating for other software.

It lies beside the original as ``<file name>.xmp`` (``IMG_1.HEIC.xmp``): digiKam, darktable,
immich, PhotoPrism and ExifTool look there. Adobe's ``IMG_1.xmp`` would mean all files of that
stem at once, a Live Photo's film and the RAW of a pair as well, and Lightroom reads it for RAW
files alone.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final
from xml.etree import ElementTree as ET

from ..model import Details

SUFFIX: Final = ".xmp"
_NAMESPACES: Final = {
    "x": "adobe:ns:meta/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
}
_LANGUAGE: Final = "{http://www.w3.org/XML/1998/namespace}lang"
# What XML 1.0 can't hold, not even escaped.
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ALBUMS: Final = "Albums"
_FAVORITE: Final = "5"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Told:
    """What a sidecar tells."""

    details: Details
    captured: int | None = None
    """Milliseconds since 1970 (UTC)."""
    favorite: bool = False
    albums: Sequence[str] = ()
    """Each with its folders, joined by ``/``."""

    @property
    def anything(self) -> bool:
        """False when the original itself surely says it all."""
        told = self.details
        place = told.latitude is not None or told.tz_offset is not None
        words = told.title or told.description or told.keywords or self.albums
        return bool(words or place or self.favorite)


def sidecar(told: Told) -> bytes:
    """A whole sidecar in UTF-8; the same bytes for the same words."""
    for prefix, uri in _NAMESPACES.items():
        ET.register_namespace(prefix, uri)
    root = ET.Element(_name("x:xmpmeta"))
    rdf = ET.SubElement(root, _name("rdf:RDF"))
    about = ET.SubElement(rdf, _name("rdf:Description"), {_name("rdf:about"): ""})
    details = told.details
    _alternatives(about, "dc:title", details.title)
    _alternatives(about, "dc:description", details.description)
    _list(about, "dc:subject", "rdf:Bag", details.keywords)
    # album names are told apart from keywords by where they hang
    _list(
        about,
        "lr:hierarchicalSubject",
        "rdf:Bag",
        (
            *details.keywords,
            *("|".join([_ALBUMS, *path.replace("|", "_").split("/")]) for path in told.albums),
        ),
    )
    _list(
        about,
        "digiKam:TagsList",
        "rdf:Seq",
        (*details.keywords, *(f"{_ALBUMS}/{path}" for path in told.albums)),
    )
    if told.favorite:
        _text(about, "xmp:Rating", _FAVORITE)
    when = local_time(told.captured, details.tz_offset)
    if when is not None:
        _text(about, "exif:DateTimeOriginal", when)
        _text(about, "photoshop:DateCreated", when)
        _text(about, "xmp:CreateDate", when)
    _place(about, details)
    ET.indent(root, " ")
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        f'{ET.tostring(root, encoding="unicode")}\n<?xpacket end="w"?>\n'
    ).encode()


def local_time(captured: int | None, offset: int | None) -> str | None:
    """ISO 8601 with the offset from UTC, to the millisecond; without a known offset in UTC."""
    if captured is None:
        return None
    zone = timezone(timedelta(seconds=offset - offset % 60)) if offset else UTC
    try:
        when = (_EPOCH + timedelta(milliseconds=captured)).astimezone(zone)
    except OverflowError, ValueError:
        return None
    return when.isoformat(timespec="milliseconds")


def _place(about: ET.Element, details: Details) -> None:
    if details.latitude is None or details.longitude is None:
        return
    _text(about, "exif:GPSLatitude", _degrees(details.latitude, "NS"))
    _text(about, "exif:GPSLongitude", _degrees(details.longitude, "EW"))
    _text(about, "exif:GPSMapDatum", "WGS-84")
    _text(about, "exif:GPSVersionID", "2.3.0.0")
    if details.altitude is not None:
        _text(about, "exif:GPSAltitude", f"{round(abs(details.altitude) * 100)}/100")
        _text(about, "exif:GPSAltitudeRef", "1" if details.altitude < 0 else "0")


def _degrees(value: float, letters: str) -> str:
    """``52,30.123456N``: XMP's own way, degrees and minutes."""
    units = round(abs(value) * 60_000_000)  # millionths of a minute
    degrees, minutes = divmod(units, 60_000_000)
    return f"{degrees},{minutes / 1e6:.6f}{letters[value < 0]}"


def _name(short: str) -> str:
    prefix, _, local = short.partition(":")
    return f"{{{_NAMESPACES[prefix]}}}{local}"


def _clean(text: str) -> str:
    return _NOT_XML.sub("", text)


def _text(parent: ET.Element, name: str, value: str) -> None:
    ET.SubElement(parent, _name(name)).text = value


def _alternatives(parent: ET.Element, name: str, value: str | None) -> None:
    if value is None or not (value := _clean(value)):
        return
    choice = ET.SubElement(ET.SubElement(parent, _name(name)), _name("rdf:Alt"))
    ET.SubElement(choice, _name("rdf:li"), {_LANGUAGE: "x-default"}).text = value


def _list(parent: ET.Element, name: str, kind: str, values: Iterable[str]) -> None:
    words = [word for value in values if (word := _clean(value).strip())]
    if words:
        box = ET.SubElement(ET.SubElement(parent, _name(name)), _name(kind))
        for word in words:
            ET.SubElement(box, _name("rdf:li")).text = word
