"""The photo libraries that the account sees: its zones, and those it was invited to."""

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any

from .media import Media
from .options import Options
from .specs import CYCLE, Kind
from .zone import Zone

PRIMARY = "PrimarySync"


class Library:
    """PrimarySync, and a shared library when there is one."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.media = Media(options.seed, options.photo_bytes, options.video_bytes)
        names = [name for name in options.kinds.replace(",", " ").split() if name]
        self._cycle = tuple(Kind(name) for name in names) or CYCLE
        self.owner = _owner(options.apple_id)
        self.host = _owner("host of " + options.apple_id)
        self.joined: set[str] = set()
        self.generation = 1
        self.url_generation = 1
        self.primary = self._zone(PRIMARY, options.assets, huge=options.huge_bytes)
        self.primary.albums.holidays(options.assets)
        self.zones = {PRIMARY: self.primary}
        if options.shared_library:
            self.share(options.shared_library)
        if options.joined_library:
            self.join(options.joined_library)

    def _zone(self, name: str, count: int, *, huge: int = 0) -> Zone:
        return Zone(
            name,
            count,
            self.media,
            cycle=self._cycle,
            newest_ms=self.options.newest_ms,
            real=self.options.real,
            huge=huge,
        )

    def share(self, count: int) -> str:
        """Turn the shared library on; its zone name. It is ours, so the private database has it."""
        return self._add_shared(count, str(self.options.seed))

    def join(self, count: int) -> str:
        """Take part in a library of somebody else, which only the shared database has."""
        name = self._add_shared(count, f"joined {self.options.seed}")
        self.joined.add(name)
        return name

    def _add_shared(self, count: int, identity: str) -> str:
        name = f"SharedSync-{str(uuid.uuid5(uuid.NAMESPACE_OID, identity)).upper()}"
        self.zones[name] = self._zone(name, count)
        return name

    def owner_of(self, zone: Zone) -> str:
        """The record name of the zone's owner."""
        return self.host if zone.name in self.joined else self.owner

    def zones_of(self, *, shared: bool) -> list[Zone]:
        """The zones of one database."""
        return [zone for name, zone in self.zones.items() if (name in self.joined) is shared]

    def find(self, identifier: Mapping[str, Any], *, shared: bool) -> Zone | None:
        """The zone that a request to one database names; in the shared one only with its owner."""
        zone = self.zones.get(str(identifier.get("zoneName")))
        if zone is None or (zone.name in self.joined) is not shared:
            return None
        owner = identifier.get("ownerRecordName")
        return zone if owner == self.owner_of(zone) or (owner is None and not shared) else None

    def bytes_stored(self) -> int:
        """The bytes that count against the quota, Recently Deleted included."""
        all_totals = [zone.totals() for zone in self.zones.values()]
        return sum(totals[1] + totals[3] for totals in all_totals)


def _owner(of: str) -> str:
    return "_" + hashlib.sha256(of.encode()).hexdigest()[:32]
