"""Orders about what people know photos by: captions, places, bursts and albums."""

import time
from typing import Any

from .answers import Json
from .app import StandInServer
from .details import place_of
from .zone import ASSET, MASTER, Zone


class Describing:
    """Operations of `Control` by name."""

    server: StandInServer

    def _of(self, zone: str) -> Zone:
        return self.server.library.zones[zone]

    def describe(
        self,
        index: int,
        caption: str | None = None,
        description: str | None = None,
        keywords: list[str] | None = None,
        place: list[float] | None = None,
        subtype: int | None = None,
        zone: str = "PrimarySync",
    ) -> Json:
        """Say something of an asset; `place` is latitude, longitude and, if wanted, height."""
        wanted: dict[str, Any] = {
            "caption": caption,
            "description": description,
            "keywords": None if keywords is None else tuple(keywords),
            "place": None if place is None else tuple(place),
            "subtype": subtype,
        }
        changes = {name: value for name, value in wanted.items() if value is not None}
        self._of(zone).change(index, **changes)
        return {"asset": self._of(zone).name_of(index, ASSET)}

    def described(self, index: int, zone: str = "PrimarySync") -> Json:
        """What is said of an asset, and the titles of its albums."""
        where = self._of(zone)
        spec, state = where.spec(index), where.state(index)
        albums = [
            thing.title
            for thing in where.albums.things
            if not thing.gone and index in where.albums.members(thing.name)
        ]
        return {
            "caption": state.caption,
            "description": state.description,
            "keywords": list(state.keywords),
            "place": place_of(spec, state),
            "offset_s": spec.offset_s,
            "burst": spec.burst,
            "pick": spec.pick,
            "albums": sorted(albums),
        }

    def burst(self, count: int = 5, age_s: float = 0, zone: str = "PrimarySync") -> Json:
        """A burst; the first of it is the one that the library shows."""
        where = self._of(zone)
        indices = where.add_burst(count, int((time.time() - age_s) * 1000))
        return {
            "assets": [where.name_of(index, ASSET) for index in indices],
            "masters": [where.name_of(index, MASTER) for index in indices],
            "indices": indices,
        }

    def album(
        self,
        title: str,
        add: list[int] | None = None,
        remove: list[int] | None = None,
        rename: str = "",
        parent: str = "",
        folder: bool = False,
        create: bool = False,
        delete: bool = False,
        zone: str = "PrimarySync",
    ) -> Json:
        """Make, fill, empty, rename or delete an album (by title or record name)."""
        albums = self._of(zone).albums
        name = albums.create(title, parent, folder=folder) if create else albums.find(title).name
        if add:
            albums.fill(name, add)
        if remove:
            albums.take_out(name, remove)
        if rename:
            albums.rename(name, rename)
        if delete:
            albums.delete(name)
        return {"album": name}
