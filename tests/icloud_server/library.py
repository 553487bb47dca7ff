"""The photo library of the account: its zones and their shared resources."""

import hashlib
import uuid

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
        self.owner = "_" + hashlib.sha256(options.apple_id.encode()).hexdigest()[:32]
        self.generation = 1
        self.url_generation = 1
        self.primary = self._zone(PRIMARY, options.assets, huge=options.huge_bytes)
        self.zones = {PRIMARY: self.primary}
        if options.shared_library:
            self.share(options.shared_library)

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
        """Turn the shared library on; its zone name."""
        name = f"SharedSync-{uuid.uuid5(uuid.NAMESPACE_OID, str(self.options.seed))}".upper()
        name = name.replace("SHAREDSYNC", "SharedSync")
        self.zones[name] = self._zone(name, count)
        return name

    def bytes_stored(self) -> int:
        """The bytes that count against the quota, Recently Deleted included."""
        all_totals = [zone.totals() for zone in self.zones.values()]
        return sum(totals[1] + totals[3] for totals in all_totals)
