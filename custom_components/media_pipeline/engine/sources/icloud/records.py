"""Apple's raw records → AssetRecord. Tolerant: an odd field costs a field, at worst one asset.

Originals sit on the CPLMaster record, edited renders on the CPLAsset; several CPLAssets may share
one CPLMaster (duplicates).
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from ...model import AssetRecord, Kind, ResourceRecord, Role
from ...names import split_name
from ..formats import kind_of_suffix, kind_of_type, suffix_of_type
from .details import details_of
from .fields import ON_ASSET, ON_MASTER
from .values import field_of, int_of, text_of

MASTER: Final = "CPLMaster"
ASSET: Final = "CPLAsset"
_FALLBACK_SUFFIX: Final = {
    Role.ORIGINAL: "",
    Role.ALTERNATIVE: ".DNG",
    Role.LIVE_VIDEO: ".MOV",
    Role.SIDECAR: ".AAE",
    Role.EDITED: ".JPG",
    Role.EDITED_VIDEO: ".MOV",
}
# Slow motion is an adjustment that Apple renders only when somebody exports the video.
_NOT_RENDERED_ON_PURPOSE: Final = frozenset({"com.apple.video.slomo"})
# Milliseconds around the years 0 and 9999: what Python's dates can show.
_EARLIEST, _LATEST = -62_135_596_800_000, 253_402_300_799_000


def master_name(asset: Mapping[str, Any]) -> str | None:
    """The record name of the master that an asset belongs to."""
    reference = field_of(asset, "masterRef")
    return text_of(reference.get("recordName")) if isinstance(reference, Mapping) else None


def is_gone(record: Mapping[str, Any]) -> bool:
    """True for what is left of a record that was removed for good."""
    return record.get("deleted") is True or int_of(field_of(record, "isExpunged")) == 1


def filename_of(master: Mapping[str, Any]) -> str | None:
    """The name as its owner sees it: plain text, or base64 where Apple marks it encrypted."""
    fields = master.get("fields")
    entry = fields.get("filenameEnc") if isinstance(fields, Mapping) else None
    if not isinstance(entry, Mapping):
        return None
    value = text_of(entry.get("value"))
    if value is None or entry.get("type") == "STRING":
        return value
    try:
        return text_of(base64.b64decode(value, validate=True).decode())
    except binascii.Error, ValueError:
        # A plain name that is marked wrongly still has its suffix.
        return value if split_name(value)[1] else None


def expiry_of(url: str | None) -> int | None:
    """When a download address ends (its ``e=``), in milliseconds."""
    if not url:
        return None
    try:
        values = parse_qs(urlsplit(url).query).get("e")
    except ValueError:
        return None
    seconds = int_of(values[0]) if values else None
    return seconds * 1000 if seconds is not None and 0 < seconds < 1 << 40 else None


def asset_record(
    zone: str, asset: Mapping[str, Any], master: Mapping[str, Any]
) -> AssetRecord | str:
    """The asset that two records describe, or the reason why they describe none."""
    name = text_of(asset.get("recordName"))
    if name is None:
        return "no_record_name"
    if not isinstance(asset.get("fields"), Mapping):
        return "no_fields"
    filename = filename_of(master) or text_of(master.get("recordName")) or name
    filename = filename.replace("/", "_") if "/" in filename else filename
    stem, suffix = split_name(filename)
    original_type = _type_of(master, "resOriginal") or text_of(field_of(master, "itemType"))
    if not suffix:
        suffix = suffix_of_type(original_type) or ""
        stem, filename = filename, filename + suffix
    resources = _resources(master, asset, stem, suffix)
    changed = _time(asset, "modified")
    return AssetRecord(
        key=f"{zone}/{name}",
        library=zone,
        kind=_kind(master, suffix),
        filename=filename,
        captured=_date(field_of(asset, "assetDate")),
        added=_date(field_of(asset, "addedDate")) or _time(asset, "created"),
        modified=changed,
        resources=tuple(resources),
        master_key=_key(zone, text_of(master.get("recordName"))),
        asset_tag=text_of(asset.get("recordChangeTag")),
        master_tag=text_of(master.get("recordChangeTag")),
        favorite=int_of(field_of(asset, "isFavorite")) == 1,
        hidden=int_of(field_of(asset, "isHidden")) == 1,
        trashed=int_of(field_of(asset, "isDeleted")) == 1,
        incomplete=_incomplete(asset, resources),
        details=details_of(asset, live=any(each.role is Role.LIVE_VIDEO for each in resources)),
        raw={"asset": _without_urls(asset), "master": _without_urls(master)},
    )


def purge_time(asset: Mapping[str, Any]) -> int | None:
    """When a trashed asset is purged, in milliseconds."""
    return _date(field_of(asset, "dateExpunged"))


def _key(zone: str, name: str | None) -> str | None:
    return f"{zone}/{name}" if name else None


def _date(value: Any) -> int | None:
    number = int_of(value)
    return number if number is not None and _EARLIEST <= number <= _LATEST else None


def _time(record: Mapping[str, Any], moment: str) -> int | None:
    entry = record.get(moment)
    return _date(entry.get("timestamp")) if isinstance(entry, Mapping) else None


def _type_of(record: Mapping[str, Any], prefix: str) -> str | None:
    return text_of(field_of(record, f"{prefix}FileType"))


def _kind(master: Mapping[str, Any], suffix: str) -> Kind:
    for identifier in (text_of(field_of(master, "itemType")), _type_of(master, "resOriginal")):
        kind = kind_of_type(identifier)
        if kind is not Kind.OTHER:
            return kind
    return kind_of_suffix(suffix)


def _resources(
    master: Mapping[str, Any], asset: Mapping[str, Any], stem: str, suffix: str
) -> list[ResourceRecord]:
    found: list[ResourceRecord] = []
    for record, parts in ((master, ON_MASTER), (asset, ON_ASSET)):
        for role, prefix in parts:
            value = field_of(record, f"{prefix}Res")
            if isinstance(value, Mapping):
                kind = suffix_of_type(_type_of(record, prefix)) or _FALLBACK_SUFFIX[role]
                found.append(_resource(role, value, _name(role, stem, suffix, kind)))
    return found


def _resource(role: Role, value: Mapping[str, Any], filename: str) -> ResourceRecord:
    url = text_of(value.get("downloadURL"))
    size = int_of(value.get("size"))
    return ResourceRecord(
        role=role,
        filename=filename,
        size=max(size or 0, 0),
        checksum=text_of(value.get("fileChecksum")),
        url=url,
        url_expires=expiry_of(url),
    )


def _name(role: Role, stem: str, suffix: str, own_suffix: str) -> str:
    if role is Role.ORIGINAL:
        return stem + (suffix or own_suffix)
    if role in {Role.EDITED, Role.EDITED_VIDEO}:
        return f"{stem}_edited{own_suffix}"
    if own_suffix.lower() == suffix.lower():
        return f"{stem}_{role}{own_suffix}"
    return stem + own_suffix


def _incomplete(asset: Mapping[str, Any], resources: list[ResourceRecord]) -> str | None:
    if not any(resource.role is Role.ORIGINAL for resource in resources):
        return "not_uploaded"
    if any(not resource.url for resource in resources):
        return "not_uploaded"
    if any(resource.size == 0 for resource in resources):
        return "size_unknown"
    adjustment = text_of(field_of(asset, "adjustmentType"))
    if adjustment is None or adjustment in _NOT_RENDERED_ON_PURPOSE:
        return None
    if any(resource.role in {Role.EDITED, Role.EDITED_VIDEO} for resource in resources):
        return None
    return "edit_not_rendered"


def _without_urls(record: Mapping[str, Any]) -> dict[str, Any]:
    fields = record.get("fields")
    if not isinstance(fields, Mapping):
        return dict(record)
    cleaned: dict[str, Any] = {}
    for name, entry in fields.items():
        value = entry.get("value") if isinstance(entry, Mapping) else None
        if isinstance(value, Mapping) and "downloadURL" in value:
            kept = {key: item for key, item in value.items() if key != "downloadURL"}
            cleaned[name] = {**entry, "value": kept}
        else:
            cleaned[name] = entry
    return {**record, "fields": cleaned}
