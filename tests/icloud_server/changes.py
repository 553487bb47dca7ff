"""The change feed: which zones changed, and what changed in them since a token."""

import asyncio
import base64
import hashlib

from aiohttp import web

from .answers import Json, body_of, reply
from .library import Library
from .records import keys_of, record, zone_id
from .zone import ALBUM, ASSET, MASTER, Zone

PAGE = 200


def _seal(text: str) -> str:
    check = hashlib.sha256(text.encode()).hexdigest()[:8]
    return base64.b64encode(b"\x01\0\0\0" + f"{text}|{check}".encode()).decode()


def _unseal(token: str) -> list[str]:
    text, _, check = base64.b64decode(token, validate=True)[4:].decode().rpartition("|")
    if hashlib.sha256(text.encode()).hexdigest()[:8] != check:
        raise ValueError("changed")
    return text.split("|")


def end_of(zone: Zone) -> int:
    """The position behind the newest change."""
    return 2 * zone.count + len(zone.log)


def token(library: Library, zone: Zone, position: int) -> str:
    """A token for a position in a zone's history."""
    return _seal(f"zone|{library.generation}|{zone.name}|{position}")


def current(library: Library, zone: Zone) -> str:
    """The token of a client that knows everything."""
    return token(library, zone, end_of(zone))


def database_token(library: Library, *, shared: bool) -> str:
    """The token of a database as a whole; not a zone's."""
    ends = ",".join(f"{zone.name}={end_of(zone)}" for zone in library.zones_of(shared=shared))
    return _seal(f"database|{library.generation}|{ends}")


def _position(library: Library, zone: Zone, data: Json) -> int | str:
    """Where to go on, or the reason of refusal."""
    given = data.get("syncToken")
    if given is None:
        return 0
    if given == "":
        return end_of(zone)
    try:
        kind, generation, name, position = _unseal(str(given))
    except ValueError:
        return "Invalid continuation format"
    if kind != "zone" or generation != str(library.generation) or name != zone.name:
        return "Unknown sync continuation type"
    return int(position)


def _entry(zone: Zone, position: int) -> tuple[int, int] | None:
    """The record at a position of the history, if that is where to report it.

    The history of a fresh library goes from old to new, and an asset follows one step behind its
    master, so that the two can fall on different pages. A record that changed later is reported
    where it changed last.
    """
    fresh = 2 * zone.count
    if position >= fresh:
        entry = zone.log[position - fresh]
        return entry if zone.last[entry] == position - fresh else None
    if position == 0:
        step, part = 0, MASTER
    elif position == fresh - 1:
        step, part = zone.count - 1, ASSET
    elif position % 2:
        step, part = (position + 1) // 2, MASTER
    else:
        step, part = position // 2 - 1, ASSET
    index = zone.count - 1 - step
    return None if (index, part) in zone.last else (index, part)


class Changes:
    """Answers changes/database and changes/zone."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.empty_pages = 0

    async def database(self, request: web.BaseRequest) -> web.Response:
        """Which zones changed."""
        data = await body_of(request)
        shared = "/shared/" in request.path
        zones = self.library.zones_of(shared=shared)
        if "syncToken" in data:
            try:
                kind, generation, ends = _unseal(str(data["syncToken"]))
            except ValueError:
                return self._refused("Invalid continuation format")
            if kind != "database" or generation != str(self.library.generation):
                return self._refused("Unknown sync continuation type")
            known = dict(end.split("=") for end in ends.split(",") if end)
            zones = [zone for zone in zones if known.get(zone.name) != str(end_of(zone))]
        return reply(
            {
                "syncToken": database_token(self.library, shared=shared),
                "moreComing": False,
                "zones": [
                    {
                        "zoneID": zone_id(self.library, zone),
                        "syncToken": current(self.library, zone),
                    }
                    for zone in zones
                ],
            }
        )

    @staticmethod
    def _refused(reason: str) -> web.Response:
        return reply({"serverErrorCode": "BAD_REQUEST", "reason": reason}, status=400)

    async def zone(self, request: web.BaseRequest) -> web.Response:
        """What changed in each zone."""
        data = await body_of(request)
        shared = "/shared/" in request.path
        answers = [await self._one(wanted, shared=shared) for wanted in data.get("zones", ())]
        return reply({"zones": answers})

    async def _one(self, wanted: Json, *, shared: bool) -> Json:
        zone = self.library.find(wanted.get("zoneID") or {}, shared=shared)
        if zone is None:
            return {
                "zoneID": wanted.get("zoneID"),
                "serverErrorCode": "ZONE_NOT_FOUND",
                "reason": "Zone does not exist",
            }
        position = _position(self.library, zone, wanted)
        if isinstance(position, str):
            return {
                "zoneID": zone_id(self.library, zone),
                "serverErrorCode": "BAD_REQUEST",
                "reason": position,
            }
        limit = max(1, min(int(wanted.get("resultsLimit") or PAGE), PAGE))
        entries: list[tuple[int, int]] = []
        if self.empty_pages > 0 and position < end_of(zone):
            self.empty_pages -= 1
            limit = 0
        while position < end_of(zone) and len(entries) < limit:
            entry = _entry(zone, position)
            position += 1
            if entry is not None:
                entries.append(entry)
        await asyncio.to_thread(
            zone.prepare,
            [index for index, part in entries if part != ALBUM and not zone.gone(index, part)],
        )
        keys = keys_of(wanted)
        return {
            "zoneID": zone_id(self.library, zone),
            "moreComing": position < end_of(zone),
            "syncToken": token(self.library, zone, position),
            "records": [record(self.library, zone, index, part, keys) for index, part in entries],
        }
