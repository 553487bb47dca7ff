"""What people know a photo by, from its CPLAsset record: captions, keywords, place, zone, kind.

Titles, places and the rest come base64-coded in fields that Apple calls encrypted. An odd field
costs that field only. Nothing here was measured against Apple; where a value's meaning comes from
is said beside it.
"""

import base64
import binascii
import math
import plistlib
import struct
from collections.abc import Mapping
from typing import Any, Final
from xml.parsers.expat import ExpatError

from ...model import Details
from .values import field_of, int_of, text_of

_LONGEST: Final = 64 * 1024
"""Of one field as it comes; what is longer is no caption, place or list of keywords."""
_KEYWORDS: Final = 1000
_FARTHEST_ZONE: Final = 18 * 3600
# Read in the sources of two other programs (rclone, icloudpd): 1, 2, 3, 100, 101. Apple's own
# client takes assetSubtypeV2 and only without it assetSubtype: one list of codes for both.
_SUBTYPES: Final = {
    1: "panorama",
    2: "live_photo",
    3: "screenshot",
    100: "slow_motion",
    101: "time_lapse",
}
# Read in rclone's source: bits of adjustmentRenderType.
_RENDERED: Final = ((2, "portrait"), (4, "long_exposure"))
# Inferred from what is known of the same number in the Mac's own photo database: 8 was picked by a
# person, 16 is the one that stands for its burst.
_PICKED: Final = 8 | 16
_PLIST_TROUBLE: Final = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
    ExpatError,
    struct.error,
)


def details_of(asset: Mapping[str, Any], *, live: bool) -> Details:
    """Everything a CPLAsset says of its photo; ``live`` when it has a Live Photo's video."""
    burst = text_of(field_of(asset, "burstId"))
    place = _place(asset)
    return Details(
        title=plain_text(asset, "captionEnc"),
        description=plain_text(asset, "extendedDescEnc"),
        keywords=_keywords(asset),
        latitude=place[0] if place else None,
        longitude=place[1] if place else None,
        altitude=place[2] if place else None,
        tz_offset=_offset(asset),
        tz_name=plain_text(asset, "timeZoneNameEnc"),
        subtype=_subtype(asset, burst=burst is not None),
        burst_id=burst,
        live=live,
        adjustment=text_of(field_of(asset, "adjustmentType")),
    )


def plain_text(record: Mapping[str, Any], name: str) -> str | None:
    """A text field: as it is where Apple says STRING, decoded from base64 otherwise."""
    fields = record.get("fields")
    entry = fields.get(name) if isinstance(fields, Mapping) else None
    if not isinstance(entry, Mapping):
        return None
    value = text_of(entry.get("value"))
    if value is None or len(value) > _LONGEST:
        return None
    if entry.get("type") == "STRING":
        return value
    data = _bytes(value)
    try:
        return text_of(data.decode().strip("\0")) if data is not None else None
    except UnicodeDecodeError:
        return None


def _bytes(value: Any) -> bytes | None:
    if not isinstance(value, str) or not value or len(value) > _LONGEST:
        return None
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error, ValueError:
        return None


def _plist(record: Mapping[str, Any], name: str) -> Any:
    """A property list, binary or XML (plistlib takes no entities); None when it is neither."""
    data = _bytes(field_of(record, name))
    if data is None:
        return None
    try:
        return plistlib.loads(data)
    except _PLIST_TROUBLE:
        return None


def _keywords(asset: Mapping[str, Any]) -> tuple[str, ...]:
    found = _plist(asset, "keywordsEnc")
    if not isinstance(found, list):
        return ()
    words = (text_of(each.strip()) for each in found[:_KEYWORDS] if isinstance(each, str))
    return tuple(dict.fromkeys(word for word in words if word is not None))


def _place(asset: Mapping[str, Any]) -> tuple[float, float, float | None] | None:
    for name in ("locationEnc", "locationV2Enc"):
        found = _plist(asset, name)
        if isinstance(found, Mapping):
            place = _coordinates(found.get("lat"), found.get("lon"), found.get("alt"))
            if place is not None:
                return place
    return _coordinates(
        field_of(asset, "locationLatitude"), field_of(asset, "locationLongitude"), None
    )


def _coordinates(
    latitude: Any, longitude: Any, altitude: Any
) -> tuple[float, float, float | None] | None:
    north, east, height = _number(latitude), _number(longitude), _number(altitude)
    # -180, -180 is how Apple says "nowhere"
    if north is None or east is None or abs(north) > 90 or abs(east) > 180:
        return None
    return north, east, height if height is not None and abs(height) < 1e6 else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _offset(asset: Mapping[str, Any]) -> int | None:
    seconds = int_of(field_of(asset, "timeZoneOffset"))
    return seconds if seconds is not None and abs(seconds) <= _FARTHEST_ZONE else None


def _subtype(asset: Mapping[str, Any], *, burst: bool) -> str | None:
    code = int_of(field_of(asset, "assetSubtypeV2")) or int_of(field_of(asset, "assetSubtype"))
    known = _SUBTYPES.get(code or 0)
    if known is not None:
        return known
    rendered = int_of(field_of(asset, "adjustmentRenderType")) or 0
    for bit, name in _RENDERED:
        if rendered > 0 and rendered & bit:
            return name
    if burst:
        flags = int_of(field_of(asset, "burstFlags")) or 0
        return "burst_pick" if flags & _PICKED else "burst"
    return None
