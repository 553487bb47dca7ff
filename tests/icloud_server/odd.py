"""Odd records, of the kinds that users of other programs ran into."""

import base64
from collections.abc import Callable

from .answers import Json
from .specs import ON_ASSET


def _without(prefix: str) -> Callable[[Json], None]:
    def remove(fields: Json) -> None:
        for key in [key for key in fields if key.startswith(prefix)]:
            del fields[key]

    return remove


def _with(**changed: Json) -> Callable[[Json], None]:
    def put(fields: Json) -> None:
        fields.update({key: value for key, value in changed.items() if key in fields})

    return put


def _pending(fields: Json) -> None:
    for role in ON_ASSET:
        _without(role)(fields)
    if "masterRef" in fields:
        fields["adjustmentType"] = {"value": "com.apple.photo", "type": "STRING"}


def _unknown_scheme(fields: Json) -> None:
    """As encrypted resources might have it: 21 bytes that do not begin with 0x01."""
    for key, field in fields.items():
        value = field.get("value")
        if key.endswith("Res") and isinstance(value, dict) and "fileChecksum" in value:
            raw = base64.b64decode(value["fileChecksum"])
            value["fileChecksum"] = base64.b64encode(b"\x81" + raw[1:]).decode()


ODDITIES: dict[str, Callable[[Json], None]] = {
    "not_uploaded": _without("resOriginal"),
    "edit_pending": _pending,
    "no_filename": _without("filenameEnc"),
    "plain_filename": _with(filenameEnc={"value": "Plain name.JPG", "type": "STRING"}),
    "hostile_filename": _with(
        filenameEnc={"value": "Li4vLi4vZXRjL3A6YSo8Yj58Ii5KUEc=", "type": "ENCRYPTED_BYTES"}
    ),
    "bad_base64": _with(filenameEnc={"value": "%%%", "type": "ENCRYPTED_BYTES"}),
    "no_type": _with(itemType={"type": "STRING"}),
    "unknown_type": _with(itemType={"value": "com.example.new-thing", "type": "STRING"}),
    "null_integer": _with(
        isFavorite={"value": None, "type": "INT64"}, dataClassType={"value": None, "type": "INT64"}
    ),
    "no_date": _without("assetDate"),
    "absurd_date": _with(assetDate={"value": -62_135_769_600_000, "type": "TIMESTAMP"}),
    "unknown_checksum": _unknown_scheme,
    "bad_details": _with(
        assetSubtypeV2={"value": 4711, "type": "INT64"},
        timeZoneOffset={"value": 10**9, "type": "INT64"},
        timeZoneNameEnc={"value": "%%%", "type": "ENCRYPTED_BYTES"},
        locationEnc={"value": "YnBsaXN0MDD/////", "type": "ENCRYPTED_BYTES"},
        captionEnc={"value": "/////w==", "type": "ENCRYPTED_BYTES"},
        keywordsEnc={"value": None, "type": "ENCRYPTED_BYTES"},
    ),
    "no_master_reference": _without("masterRef"),
}
"""By name; each changes the fields of a record in place."""
