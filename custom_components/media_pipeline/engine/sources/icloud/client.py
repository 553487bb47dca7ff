"""The photo database's operations: our own small raw-JSON client over the session's POST."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...errors import SourceBadAnswer
from .answers import item_error
from .fields import DESIRED_KEYS
from .session import ICloudSession
from .values import field_of, int_of

CAP: Final = 200
"""Apple's limit on records per answer, whatever is asked for."""
LIBRARY: Final = "CPLAssetAndMasterByAssetDateWithoutHiddenOrDeleted"
HIDDEN: Final = "CPLAssetAndMasterHiddenByAssetDate"
DELETED: Final = "CPLAssetAndMasterDeletedByExpungedDate"
ALBUMS: Final = "CPLAlbumByPositionLive"
COUNTED: Final = "CPLAssetByAssetDateWithoutHiddenOrDeleted"


@dataclass(frozen=True, slots=True)
class Zone:
    """One library as the database addresses it."""

    name: str
    shared: bool = False
    """True when it lies in the shared database (libraries that somebody else owns)."""
    identifier: Mapping[str, Any] | None = None

    @property
    def id(self) -> dict[str, Any]:
        """The ``zoneID`` of a request."""
        return dict(self.identifier) if self.identifier else {"zoneName": self.name}


@dataclass(frozen=True, slots=True)
class Page:
    """Records of one answer."""

    records: list[Mapping[str, Any]]
    token: str | None
    more: bool


class PhotosClient:
    """Every method is one request. All raise what ICloudSession.post raises."""

    def __init__(self, session: ICloudSession) -> None:
        self._session = session

    async def _post(
        self, path: str, body: dict[str, Any], zone: Zone, *, urgent: bool = False
    ) -> Mapping[str, Any]:
        answer = await self._session.post(path, body, shared=zone.shared, urgent=urgent)
        if not isinstance(answer, Mapping):
            raise SourceBadAnswer(f"{path}: {type(answer).__name__}")
        return answer

    async def page(self, zone: Zone, index: str, rank: int) -> Page:
        """Up to 100 assets with their masters, newest first, from ``rank`` on."""
        return await self.listed(zone, index, rank)

    async def listed(
        self,
        zone: Zone,
        index: str,
        rank: int,
        *,
        parent: str | None = None,
        keys: Sequence[str] = DESIRED_KEYS,
    ) -> Page:
        """Up to ``CAP`` records of an index from ``rank`` on, or of the album ``parent``."""
        filters = [
            _filter("startRank", "INT64", rank),
            _filter("direction", "STRING", "ASCENDING"),
        ]
        if parent is not None:
            filters.append(_filter("parentId", "STRING", parent))
        body = {
            "query": {"recordType": index, "filterBy": filters},
            "resultsLimit": CAP,
            "desiredKeys": list(keys),
            "zoneID": zone.id,
        }
        answer = await self._post("records/query", body, zone)
        records = _records(answer, "records/query")
        more = bool(answer.get("continuationMarker")) or len(records) >= CAP
        return Page(records, _token(answer), more)

    async def albums(self, zone: Zone, parent: str | None) -> list[Mapping[str, Any]]:
        """All albums and folders at the top, or in one folder; a request for every ``CAP``."""
        query: dict[str, Any] = {"recordType": ALBUMS}
        if parent is not None:
            query["filterBy"] = [_filter("parentId", "STRING", parent)]
        body = {"query": query, "resultsLimit": CAP, "zoneID": zone.id}
        found: list[Mapping[str, Any]] = []
        while True:
            answer = await self._post("records/query", body, zone)
            records = _records(answer, "records/query")
            found += records
            marker = answer.get("continuationMarker")
            if not marker or not records or marker == body.get("continuationMarker"):
                return found
            body["continuationMarker"] = marker

    async def count(self, zone: Zone) -> int | None:
        """How many assets are in the library, hidden and deleted ones left out."""
        query = {
            "recordType": "HyperionIndexCountLookup",
            "filterBy": {
                "fieldName": "indexCountID",
                "fieldValue": {"type": "STRING_LIST", "value": [COUNTED]},
                "comparator": "IN",
            },
        }
        batch = [{"resultsLimit": 1, "query": query, "zoneWide": True, "zoneID": zone.id}]
        answer = await self._post("internal/records/query/batch", {"batch": batch}, zone)
        for part in _items(answer.get("batch")):
            for record in _items(part.get("records")):
                number = int_of(field_of(record, "itemCount"))
                if number is not None and number >= 0:
                    return number
        return None

    async def database_changes(self, token: str | None, *, shared: bool) -> Page:
        """The zones that changed since ``token``; all without one. Raises CursorRejected."""
        body = {"syncToken": token} if token else {}
        answer = await self._post("changes/database", body, Zone("", shared=shared))
        zones = answer.get("zones")
        if not isinstance(zones, list):
            raise SourceBadAnswer("changes/database without zones")
        return Page(_items(zones), _token(answer), answer.get("moreComing") is True)

    async def zone_changes(self, zone: Zone, token: str) -> Page:
        """What changed in one zone since ``token``; may be empty with more to come.

        Raises CursorRejected when the token is no longer known.
        """
        wanted = {
            "zoneID": zone.id,
            "syncToken": token,
            "resultsLimit": CAP,
            "desiredKeys": list(DESIRED_KEYS),
        }
        answer = await self._post("changes/zone", {"zones": [wanted]}, zone)
        zones = _items(answer.get("zones"))
        if not zones:
            raise SourceBadAnswer("changes/zone without zones")
        if (error := item_error(zones[0])) is not None:
            raise error
        records = _records(zones[0], "changes/zone")
        return Page(records, _token(zones[0]), zones[0].get("moreComing") is True)

    async def lookup(
        self, zone: Zone, names: Sequence[str], *, urgent: bool = False
    ) -> list[Mapping[str, Any]]:
        """Records (or error items) by name; at most ``CAP`` names. See ICloudSession.post."""
        body = {
            "records": [{"recordName": name} for name in names],
            "desiredKeys": list(DESIRED_KEYS),
            "zoneID": zone.id,
        }
        answer = await self._post("records/lookup", body, zone, urgent=urgent)
        return _records(answer, "records/lookup")

    async def set_deleted(
        self, zone: Zone, tags: Mapping[str, str], *, deleted: bool
    ) -> list[Mapping[str, Any]]:
        """Move assets (name → change tag looked at) to Recently Deleted or back.

        Each record succeeds or fails by itself; a tag that moved on is a CONFLICT. Never forced.
        """
        body = {
            "atomic": False,
            "operations": [
                {
                    "operationType": "update",
                    "record": {
                        "recordName": name,
                        "recordType": "CPLAsset",
                        "recordChangeTag": tag,
                        "fields": {"isDeleted": {"value": int(deleted)}},
                    },
                }
                for name, tag in tags.items()
            ],
            "zoneID": zone.id,
        }
        return _records(await self._post("records/modify", body, zone), "records/modify")


def _filter(name: str, kind: str, value: Any) -> dict[str, Any]:
    return {
        "fieldName": name,
        "comparator": "EQUALS",
        "fieldValue": {"type": kind, "value": value},
    }


def _items(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _records(answer: Mapping[str, Any], path: str) -> list[Mapping[str, Any]]:
    records = answer.get("records")
    if not isinstance(records, list):
        raise SourceBadAnswer(f"{path} without records")
    return _items(records)


def _token(answer: Mapping[str, Any]) -> str | None:
    token = answer.get("syncToken")
    return token if isinstance(token, str) and token else None
