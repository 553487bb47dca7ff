"""Captions, keywords, places and kinds on an asset's record, in the ways Apple writes them."""

import base64
import plistlib
from typing import Any

from .answers import Json
from .specs import Kind, Role, Spec
from .zone import State

ZONES = {0: "GMT", 7200: "Europe/Paris", -25200: "America/Phoenix", 20700: "Asia/Kathmandu"}
SUBTYPES = {Kind.SLOW_MOTION: 100, Kind.LIVE: 2, Kind.LIVE_JPEG: 2, Kind.EDITED_LIVE: 2}
PICK, NO_PICK = 0b10100, 0b00010


def _value(kind: str, value: Any) -> Json:
    return {"value": value, "type": kind}


def _encrypted(data: bytes) -> Json:
    return _value("ENCRYPTED_BYTES", base64.b64encode(data).decode())


def place_of(spec: Spec, state: State) -> tuple[float, ...] | None:
    """Latitude, longitude and, where it is known, the height."""
    return state.place or spec.location


def detail_fields(spec: Spec, state: State) -> Json:
    """What people know the photo by."""
    subtype = state.subtype if state.subtype >= 0 else SUBTYPES.get(spec.kind, 0)
    fields: Json = {
        "timeZoneOffset": _value("INT64", spec.offset_s),
        "timeZoneNameEnc": _encrypted(ZONES[spec.offset_s].encode()),
        "assetSubtype": _value("INT64", subtype if subtype in {1, 100, 101} else 0),
        "assetSubtypeV2": _value("INT64", subtype),
        "burstFlags": _value("INT64", (PICK if spec.pick else NO_PICK) if spec.burst else 0),
    }
    if spec.burst:
        fields["burstId"] = _value("STRING", spec.burst)
    if state.caption:
        fields["captionEnc"] = _encrypted(state.caption.encode())
    if state.description:
        fields["extendedDescEnc"] = _encrypted(state.description.encode())
    if state.keywords:
        words = plistlib.dumps(list(state.keywords), fmt=plistlib.FMT_BINARY)
        fields["keywordsEnc"] = _encrypted(words)
    place = place_of(spec, state)
    if place is not None:
        known = dict(zip(("lat", "lon", "alt"), place, strict=False))
        form = plistlib.FMT_BINARY if spec.index % 2 else plistlib.FMT_XML
        fields["locationEnc"] = _encrypted(plistlib.dumps(known, fmt=form))
    if spec.kind is Kind.SLOW_MOTION:  # an edit that nobody renders
        fields["adjustmentType"] = _value("STRING", "com.apple.video.slomo")
    if any(role in {Role.EDITED, Role.EDITED_VIDEO} for role in spec.roles(edited=state.edits > 0)):
        fields["adjustmentType"] = _value("STRING", "com.apple.photo")
    return fields
