"""Database records as Apple writes them."""

import base64
import hashlib
import time
from typing import Any
from urllib.parse import quote, urlencode

from .answers import Json
from .details import detail_fields
from .library import Library
from .odd import ODDITIES
from .specs import DERIVED, ON_ASSET, TYPES, Role
from .zone import ALBUM, ASSET, MASTER, Zone

URL_LIFETIME_S = 3600
HOST = "cvws.icloud-content.com"


def sign(opaque: str, expires: int) -> str:
    """The signature that ties a download address to its expiry."""
    return hashlib.sha256(f"{opaque}|{expires}".encode()).hexdigest()[:27]


def zone_id(library: Library, zone: Zone) -> Json:
    """The zone's identifier."""
    return {
        "zoneName": zone.name,
        "ownerRecordName": library.owner_of(zone),
        "zoneType": "REGULAR_CUSTOM_ZONE",
    }


def _download_url(library: Library, zone: Zone, index: int, role: Role, checksum: str) -> str:
    opaque = f"{zone.name}.{index}.{role}.{zone.state(index).edits}.{library.url_generation}"
    expires = int(time.time()) + URL_LIFETIME_S
    query = urlencode(
        {
            "o": opaque,
            "v": 1,
            "x": 3,
            "a": "CAog" + checksum[:12],
            "e": expires,
            "k": checksum[12:20],
            "fl": "",
            "r": "0c-1",
            "ckc": "com.apple.photos.cloud",
            "ckz": zone.name,
            "y": 1,
            "p": 61,
            "s": sign(opaque, expires),
        }
    )
    path = checksum.replace("+", "-").replace("/", "_")
    return f"https://{HOST}/B/{quote(path)}/${{f}}?{query}"


def _value(kind: str, value: Any) -> Json:
    return {"value": value, "type": kind}


def _encrypted(text: str) -> Json:
    return _value("ENCRYPTED_BYTES", base64.b64encode(text.encode()).decode())


def _resource(library: Library, zone: Zone, index: int, role: Role) -> Json:
    size, checksum = zone.facts(index, role)
    kind = zone.spec(index).format(role) if role not in DERIVED else "jpeg"
    width, height = (64, 48) if role in DERIVED else (1024, 768)
    return {
        f"{role}Res": _value(
            "ASSETID",
            {
                "fileChecksum": checksum,
                "size": size,
                "wrappingKey": base64.b64encode(checksum[:16].encode()).decode(),
                "referenceChecksum": checksum,
                "downloadURL": _download_url(library, zone, index, role, checksum),
            },
        ),
        f"{role}Fingerprint": _value("STRING", checksum),
        f"{role}FileType": _value("STRING", TYPES[kind]),
        f"{role}Width": _value("INT64", width),
        f"{role}Height": _value("INT64", height),
    }


def _master_fields(library: Library, zone: Zone, index: int, keys: set[str] | None) -> Json:
    spec = zone.spec(index)
    fields: Json = {
        "filenameEnc": _encrypted(spec.filename),
        "itemType": _value("STRING", TYPES[spec.format(Role.ORIGINAL)]),
        "originalOrientation": _value("INT64", 1),
        "importedByBundleIdentifierEnc": _encrypted("com.apple.camera"),
        "dataClassType": _value("INT64", 1),
    }
    for role in (*spec.roles(edited=False), *DERIVED):
        if role not in ON_ASSET and _wanted(role, keys):
            fields.update(_resource(library, zone, index, role))
    return fields


def _asset_fields(library: Library, zone: Zone, index: int, keys: set[str] | None) -> Json:
    spec, state = zone.spec(index), zone.state(index)
    reference = {
        "recordName": zone.name_of(spec.owner, MASTER),
        "action": "DELETE_SELF",
        "zoneID": zone_id(library, zone),
    }
    fields: Json = {
        "masterRef": _value("REFERENCE", reference),
        "assetDate": _value("TIMESTAMP", spec.date_ms),
        "addedDate": _value("TIMESTAMP", spec.added_ms),
        "isHidden": _value("INT64", int(state.hidden)),
        "isFavorite": _value("INT64", int(state.favorite)),
        "isDeleted": _value("INT64", int(state.deleted)),
        "orientation": _value("INT64", 1),
        "duration": _value("INT64", 1 if spec.is_video else 0),
        **detail_fields(spec, state),
    }
    if state.deleted:
        fields["dateExpunged"] = _value("TIMESTAMP", state.expunge_ms)
    edited = [role for role in spec.roles(edited=state.edits > 0) if role in ON_ASSET]
    for role in edited:
        if _wanted(role, keys):
            fields.update(_resource(library, zone, index, role))
    return fields


def _wanted(role: Role, keys: set[str] | None) -> bool:
    return keys is None or any(key.startswith(role) for key in keys)


def record(
    library: Library, zone: Zone, index: int, part: int, keys: set[str] | None = None
) -> Json:
    """One record, with the desired keys only when there are any."""
    if part == ALBUM:
        return zone.albums.record(index, zone_id(library, zone), keys)
    spec, state = zone.spec(index), zone.state(index)
    if zone.gone(index, part):
        return tombstone(library, zone, index, part)
    if part == ASSET:
        fields = _asset_fields(library, zone, index, keys)
    else:
        fields = _master_fields(library, zone, index, keys)
    if state.odd:
        ODDITIES[state.odd](fields)
    if keys is not None:
        fields = {key: value for key, value in fields.items() if key in keys}
    created = {
        "timestamp": spec.added_ms,
        "userRecordName": library.owner,
        "deviceID": "2",
    }
    answer: Json = {
        "recordName": zone.name_of(index, part),
        "recordType": "CPLAsset" if part else "CPLMaster",
        "fields": fields,
        "pluginFields": {},
        "recordChangeTag": zone.tag(index, part),
        "created": created,
        "modified": {**created, "timestamp": state.modified_ms or spec.added_ms},
        "deleted": False,
        "zoneID": zone_id(library, zone),
    }
    if state.deleted and part == ASSET:
        answer["expirationTime"] = state.expunge_ms // 1000 + 10 * 86_400
    return answer


def tombstone(library: Library, zone: Zone, index: int, part: int) -> Json:
    """What is left of a record that was removed for good."""
    return {
        "recordName": zone.name_of(index, part),
        "recordType": None,
        "deleted": True,
        "zoneID": zone_id(library, zone),
    }


def keys_of(data: Json) -> set[str] | None:
    """The desired keys of a request."""
    keys = data.get("desiredKeys")
    return set(keys) if isinstance(keys, list) else None
