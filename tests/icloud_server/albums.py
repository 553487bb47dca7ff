"""The albums of one zone: every album and every membership is a record of its own."""

import base64
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .answers import Json

HOLIDAYS = "6F1E7B11-0000-4000-A000-0000000A1B0A"
ROOT = "----Root-Folder----"
FOLDER = 3


@dataclass(slots=True)
class Thing:
    """One such record; what is gone stays here as what is left of it."""

    name: str
    title: str = ""
    parent: str = ""
    folder: bool = False
    album: str = ""
    """Of a membership: the album it is in; empty for an album."""
    index: int = -1
    gone: bool = False
    tag: int = 1


class Albums:
    """By number, so that the change log can name them like assets."""

    def __init__(
        self, zone: str, name_of: Callable[[int], str], note: Callable[[int], None]
    ) -> None:
        """``name_of`` gives an asset's record name; ``note`` writes a change into the log."""
        self._zone = zone
        self._name_of = name_of
        self._note = note
        self.things: list[Thing] = []
        self._numbers: dict[str, int] = {}

    def holidays(self, count: int) -> None:
        """The album that a library comes with: every tenth of its newest 200 photos."""
        self._put(Thing(HOLIDAYS, "Holidays"), log=False)
        for index in range(0, min(count, 200), 10):
            self._put(self._relation(HOLIDAYS, index), log=False)

    def _relation(self, album: str, index: int) -> Thing:
        return Thing(f"{self._name_of(index)}-IN-{album}", album=album, index=index)

    def _put(self, thing: Thing, *, log: bool = True) -> None:
        number = self._numbers.get(thing.name)
        if number is None:
            number = self._numbers[thing.name] = len(self.things)
            self.things.append(thing)
        else:
            thing.tag = self.things[number].tag + 1
            self.things[number] = thing
        if log:
            self._note(number)

    def find(self, name: str) -> Thing:
        """A living album by its record name or title; ValueError when there is none."""
        for thing in self.things:
            if not thing.gone and not thing.album and name in {thing.name, thing.title}:
                return thing
        raise ValueError(f"no album {name}")

    def create(self, title: str, parent: str = "", *, folder: bool = False) -> str:
        """A new album or folder; its record name."""
        number = f"{self._zone}/{len(self.things)}/{title}"
        name = str(uuid.uuid5(uuid.NAMESPACE_OID, number)).upper()
        above = self.find(parent).name if parent else ""
        self._put(Thing(name, title, above, folder))
        return name

    def rename(self, name: str, title: str) -> None:
        """Another title."""
        thing = self.find(name)
        thing.title = title
        self._touch(thing)

    def _touch(self, thing: Thing) -> None:
        thing.tag += 1
        self._note(self._numbers[thing.name])

    def fill(self, name: str, indices: list[int]) -> None:
        """Put assets in; the album's record changes as well."""
        album = self.find(name)
        for index in indices:
            self._put(self._relation(album.name, index))
        self._touch(album)

    def take_out(self, name: str, indices: list[int]) -> None:
        """Take assets out: their memberships are removed for good."""
        album = self.find(name)
        for index in indices:
            thing = self._relation(album.name, index)
            thing.gone = True
            self._put(thing)
        self._touch(album)

    def delete(self, name: str) -> None:
        """Delete an album with its memberships, or a folder with all that is in it."""
        album = self.find(name)
        for thing in self.things:
            if not thing.gone and thing.parent == album.name:
                self.delete(thing.name)
            elif not thing.gone and thing.album == album.name:
                thing.gone = True
                self._touch(thing)
        album.gone = True
        self._touch(album)

    def members(self, album: str) -> set[int]:
        """The indices of the assets in an album."""
        return {thing.index for thing in self.things if thing.album == album and not thing.gone}

    def below(self, parent: str) -> list[int]:
        """The numbers of the albums and folders in a folder; at the top without one."""
        return [
            number
            for number, thing in enumerate(self.things)
            if not thing.album and not thing.gone and thing.parent == parent
        ]

    def number(self, album: str, index: int) -> int:
        """The number of a membership."""
        return self._numbers[f"{self._name_of(index)}-IN-{album}"]

    def record(self, number: int, zone_id: Json, keys: set[str] | None) -> Json:
        """The record as Apple writes it."""
        thing = self.things[number]
        if thing.gone:
            return {
                "recordName": thing.name,
                "recordType": None,
                "deleted": True,
                "zoneID": zone_id,
            }
        fields = _member(thing, self._name_of) if thing.album else _album(thing)
        if keys is not None:
            fields = {key: value for key, value in fields.items() if key in keys}
        return {
            "recordName": thing.name,
            "recordType": "CPLContainerRelation" if thing.album else "CPLAlbum",
            "recordChangeTag": f"a{thing.tag}",
            "deleted": False,
            "zoneID": zone_id,
            "fields": fields,
        }


def _value(kind: str, value: Any) -> Json:
    return {"value": value, "type": kind}


def _album(thing: Thing) -> Json:
    title = base64.b64encode(thing.title.encode()).decode()
    return {
        "albumNameEnc": _value("ENCRYPTED_BYTES", title),
        "albumType": _value("INT64", FOLDER if thing.folder else 0),
        "parentId": _value("STRING", thing.parent or ROOT),
        "position": _value("INT64", 1024),
        "sortAscending": _value("INT64", 1),
        "isDeleted": _value("INT64", 0),
    }


def _member(thing: Thing, name_of: Callable[[int], str]) -> Json:
    return {
        "containerId": _value("STRING", thing.album),
        "itemId": _value("STRING", name_of(thing.index)),
        "position": _value("INT64", 1024),
        "isKeyAsset": _value("INT64", 0),
    }
