"""records/query, the count, records/lookup and zones/list."""

import asyncio
import base64
import json
from typing import Any

from aiohttp import web

from .answers import Json, body_of, reply
from .changes import current
from .faults import Fault
from .library import Library
from .records import keys_of, record, zone_id
from .zone import ALBUM, ASSET, MASTER, Zone

CAP = 200
VIEWS = {
    "CPLAssetAndMasterByAssetDateWithoutHiddenOrDeleted": "library",
    "CPLAssetAndMasterByAssetDate": "library",
    "CPLAssetAndMasterByAddedDate": "added",
    "CPLAssetAndMasterDeletedByExpungedDate": "deleted",
    "CPLAssetAndMasterHiddenByAssetDate": "hidden",
    "CPLBurstStackAssetAndMasterByAssetDate": "burst",
    "CPLContainerRelationLiveByAssetDate": "album",
    "CPLContainerRelationLiveByPosition": "album",
}
COUNTS = {
    "CPLAssetByAssetDateWithoutHiddenOrDeleted": "library",
    "CPLAssetByAddedDate": "added",
    "CPLAssetDeletedByExpungedDate": "deleted",
    "CPLAssetHiddenByAssetDate": "hidden",
    "CPLAssetBurstStackAssetByAssetDate": "burst",
}
SMART = {"VIDEO": "video", "FAVORITE": "favorite", "LIVE": "live", "SCREENSHOT": "screenshot"}


def _filters(query: Json) -> dict[str, Any]:
    filters = query.get("filterBy") or []
    entries = filters if isinstance(filters, list) else [filters]
    return {entry["fieldName"]: entry["fieldValue"]["value"] for entry in entries}


def _count_view(name: str) -> str:
    if name.startswith("CPLAssetInSmartAlbumByAssetDate:"):
        return SMART.get(name.partition(":")[2].upper(), "none")
    if name.startswith("CPLContainerRelationNotDeletedByAssetDate:"):
        return "album:" + name.partition(":")[2]
    return COUNTS.get(name, "none")


def is_shared(request: web.BaseRequest) -> bool:
    """Whether a request is to the shared database: libraries of others that we take part in."""
    return "/shared/" in request.path


class Query:
    """Answers the reading side of the photo database."""

    def __init__(self, library: Library) -> None:
        self.library = library

    def zone_of(self, data: Json, request: web.BaseRequest) -> Zone | None:
        """The zone a request is about, if it lies in the database that was asked."""
        identifier = data.get("zoneID") or {"zoneName": "PrimarySync"}
        return self.library.find(identifier, shared=is_shared(request))

    @staticmethod
    def no_zone() -> web.Response:
        """The answer for a zone that is not there."""
        return reply({"serverErrorCode": "ZONE_NOT_FOUND", "reason": "Zone does not exist"}, 404)

    async def zones(self, request: web.BaseRequest) -> web.Response:
        """The zones of one database."""
        return reply(
            {
                "zones": [
                    {
                        "zoneID": zone_id(self.library, zone),
                        "syncToken": current(self.library, zone),
                        "atomic": True,
                    }
                    for zone in self.library.zones_of(shared=is_shared(request))
                ]
            }
        )

    async def query(self, request: web.BaseRequest) -> web.Response:
        """One page of an index."""
        data = await body_of(request)
        zone = self.zone_of(data, request)
        if zone is None:
            return self.no_zone()
        query = data.get("query", {})
        kind = query.get("recordType")
        if kind == "CheckIndexingState":
            return self._page(zone, [self._plain("CheckIndexingState", {"state": "FINISHED"})])
        if kind == "CPLAlbumByPositionLive":
            return self._album_page(zone, data, str(_filters(query).get("parentId", "")))
        return await self._listing(zone, data, kind, _filters(query))

    async def _listing(
        self, zone: Zone, data: Json, kind: str, filters: dict[str, Any]
    ) -> web.Response:
        if kind == "CPLAssetAndMasterInSmartAlbumByAssetDate":
            view = SMART.get(str(filters.get("smartAlbum")), "none")
        elif kind in VIEWS:
            view = VIEWS[kind]
        else:
            return reply({"serverErrorCode": "BAD_REQUEST", "reason": "Unknown type"}, 400)
        album = str(filters.get("parentId", "")) if view == "album" else ""
        view = f"album:{album}" if album else view
        order = zone.order(view)
        each = 3 if album else 2  # in an album every asset comes with its membership
        limit = max(each, min(int(data.get("resultsLimit") or CAP), CAP)) // each
        rank = int(filters.get("startRank", 0))
        if data.get("continuationMarker"):
            rank = json.loads(base64.b64decode(data["continuationMarker"]))["rank"]
        if filters.get("direction") == "DESCENDING":
            stop = max(rank - limit + 1, 0)
            picked = order[stop : rank + 1][::-1] if rank >= 0 else []
            following = stop - 1 if stop > 0 and picked else None
        else:
            picked = order[rank : rank + limit]
            following = rank + limit if rank + limit < len(order) else None
        if "recordName" in filters:
            found = zone.find(str(filters["recordName"]))
            picked = [found[0]] if found and found[0] in order else []
            following = None
        await asyncio.to_thread(zone.prepare, picked)
        keys = keys_of(data)
        owners = dict.fromkeys(zone.spec(index).owner for index in picked)
        members = [zone.albums.number(album, index) for index in picked if album]
        records = [record(self.library, zone, number, ALBUM, keys) for number in members]
        records += [record(self.library, zone, owner, MASTER, keys) for owner in owners]
        records += [record(self.library, zone, index, ASSET, keys) for index in picked]
        marker = None if following is None else json.dumps({"rank": following, "i": kind})
        return self._page(zone, records, marker)

    def _page(self, zone: Zone, records: list[Json], marker: str | None = None) -> web.Response:
        answer: Json = {"records": records, "syncToken": current(self.library, zone)}
        if marker:
            answer["continuationMarker"] = base64.b64encode(marker.encode()).decode()
        return reply(answer)

    def _plain(self, kind: str, texts: dict[str, str]) -> Json:
        fields = {name: {"value": text, "type": "STRING"} for name, text in texts.items()}
        return {"recordName": "_" + kind, "recordType": kind, "fields": fields}

    def _album_page(self, zone: Zone, data: Json, parent: str) -> web.Response:
        numbers = zone.albums.below(parent)
        limit = max(1, min(int(data.get("resultsLimit") or CAP), CAP))
        rank = 0
        if data.get("continuationMarker"):
            rank = json.loads(base64.b64decode(data["continuationMarker"]))["rank"]
        picked = numbers[rank : rank + limit]
        following = rank + limit if rank + limit < len(numbers) else None
        records = [record(self.library, zone, number, ALBUM, keys_of(data)) for number in picked]
        marker = None if following is None else json.dumps({"rank": following})
        return self._page(zone, records, marker)

    async def count(self, request: web.BaseRequest) -> web.Response:
        """How many there are in an index."""
        data = await body_of(request)
        answers: list[Json] = []
        for entry in data.get("batch", ()):
            zone = self.zone_of(entry, request)
            if zone is None:
                return self.no_zone()
            wanted = _filters(entry["query"])["indexCountID"]
            name = wanted[0] if isinstance(wanted, list) else str(wanted)
            number = len(zone.order(_count_view(name)))
            records = [
                {
                    "recordName": name,
                    "recordType": "HyperionIndexCountLookup",
                    "fields": {"itemCount": {"value": number, "type": "INT64"}},
                }
            ]
            answers.append({"records": records, "syncToken": current(self.library, zone)})
        return reply({"batch": answers})

    async def lookup(self, request: web.BaseRequest, faults: list[Fault]) -> web.Response:
        """Records by name; an error item for each that is not there."""
        data = await body_of(request)
        zone = self.zone_of(data, request)
        if zone is None:
            return self.no_zone()
        names = [str(entry["recordName"]) for entry in data.get("records", ())]
        found = {name: zone.find(name) for name in names}
        await asyncio.to_thread(zone.prepare, [hit[0] for hit in found.values() if hit])
        keys = keys_of(data)
        struck = {name: fault for fault in faults for name in names[: fault.records or None]}
        records = []
        for name in names:
            hit, fault = found[name], struck.get(name, Fault())
            if fault.omit:
                continue
            if fault.record_error:
                records.append(error_item(name, fault.record_error, fault.retry_after))
            elif hit is None:
                records.append(error_item(name, "NOT_FOUND"))
            else:
                records.append(record(self.library, zone, *hit, keys))
        return self._page(zone, records)


REASONS = {
    "CONFLICT": "record to insert already exists or the change tag is out of date",
    "ATOMIC_ERROR": "Another record in the atomic batch failed",
    "NOT_FOUND": "Record not found",
}


def error_item(name: str, code: str, retry_after: int = 0) -> Json:
    """An error in place of a record."""
    item: Json = {
        "recordName": name,
        "serverErrorCode": code,
        "reason": REASONS.get(code, code.replace("_", " ").capitalize()),
    }
    if retry_after:
        item["retryAfter"] = retry_after
    return item
