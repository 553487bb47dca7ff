"""Bring assets and their masters together; they may come on different pages, or not at all."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import batched
from typing import Any, Final

from ...errors import ThrottledError
from ...model import AlbumChanges, AlbumRecord, AssetRecord, ChangePage
from .albums import ALBUM, RELATION, album_record, is_away, membership
from .answers import item_error
from .client import CAP, PhotosClient, Zone
from .records import ASSET, MASTER, asset_record, is_gone, master_name
from .values import text_of

type Record = Mapping[str, Any]

_REMEMBERED: Final = 1000


@dataclass(slots=True)
class Paired:
    """What a page of raw records says."""

    assets: list[AssetRecord] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    malformed: list[tuple[str, str]] = field(default_factory=list)
    masters_alone: list[str] = field(default_factory=list)
    albums: list[AlbumRecord] = field(default_factory=list)
    joined: list[tuple[str, str]] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)

    def page(self, cursor: dict[str, str]) -> ChangePage:
        """All of it, to be stored with ``cursor``."""
        return ChangePage(
            assets=tuple(self.assets),
            gone=tuple(self.gone),
            malformed=tuple(self.malformed),
            masters_alone=tuple(self.masters_alone),
            albums=AlbumChanges(
                albums=tuple(self.albums), joined=tuple(self.joined), left=tuple(self.left)
            ),
            cursor=cursor,
        )


class Pairing:
    """Remembers the masters of recent pages and looks up those that never came."""

    def __init__(self, client: PhotosClient, *, urgent: bool = False) -> None:
        """``urgent``: see ICloudSession.post."""
        self._client, self._urgent = client, urgent
        self._masters: OrderedDict[tuple[str, str], Record] = OrderedDict()

    async def pair(self, zone: Zone, records: Iterable[Record]) -> Paired:
        """Everything a page says; at most one lookup for every 200 masters that are missing."""
        result = Paired()
        assets: dict[str, Record] = {}
        masters: dict[str, Record] = {}
        for record in records:
            name = text_of(record.get("recordName"))
            if name is None:
                result.malformed.append(("", "no_record_name"))
            elif _tell_album(zone.name, name, record, result):
                continue
            elif is_gone(record):
                result.gone.append(f"{zone.name}/{name}")
                assets.pop(name, None)
            elif record.get("recordType") == MASTER:
                masters[name] = record
            elif record.get("recordType") == ASSET:
                assets[name] = record
        self._remember(zone, masters)
        owners = {name: master_name(asset) for name, asset in assets.items()}
        await self._look_up(
            zone,
            [
                owner
                for owner in dict.fromkeys(owners.values())
                if owner is not None and (zone.name, owner) not in self._masters
            ],
        )
        for name, asset in assets.items():
            described = self._describe(zone, asset, owners[name])
            if isinstance(described, AssetRecord):
                result.assets.append(described)
            else:
                result.malformed.append((name, described))
        used = set(owners.values())
        result.masters_alone += [f"{zone.name}/{name}" for name in masters if name not in used]
        self._forget()
        return result

    def _describe(self, zone: Zone, asset: Record, owner: str | None) -> AssetRecord | str:
        if owner is None:
            return "no_master_reference"
        master = self._masters.get((zone.name, owner))
        return "no_master" if master is None else asset_record(zone.name, asset, master)

    async def _look_up(self, zone: Zone, names: Sequence[str]) -> None:
        for batch in batched(names, CAP, strict=False):
            found: dict[str, Record] = {}
            for record in await self._client.lookup(zone, batch, urgent=self._urgent):
                error = item_error(record)
                if isinstance(error, ThrottledError):
                    raise error
                name = text_of(record.get("recordName"))
                if error is None and name is not None and record.get("recordType") == MASTER:
                    found[name] = record
            self._remember(zone, found)

    def _remember(self, zone: Zone, masters: Mapping[str, Record]) -> None:
        for name, master in masters.items():
            self._masters[zone.name, name] = master
            self._masters.move_to_end((zone.name, name))

    def _forget(self) -> None:
        while len(self._masters) > _REMEMBERED:
            self._masters.popitem(last=False)


def _tell_album(zone: str, name: str, record: Record, result: Paired) -> bool:
    """Take what is said of an album or a membership; False when it is about neither."""
    kind = record.get("recordType")
    if kind == ALBUM:
        album = album_record(zone, record)
        if isinstance(album, AlbumRecord):
            result.albums.append(album)
        elif album is not None:
            result.malformed.append((name, album))
        elif is_away(record):
            result.gone.append(f"{zone}/{name}")
        return True
    pair = membership(zone, record)
    if kind == RELATION:
        if pair is None:
            result.malformed.append((name, "no_membership"))
        elif is_away(record):
            result.left.append(pair)
        else:
            result.joined.append(pair)
        return True
    # what is left of a deleted membership has no type, only its name
    if kind is None and pair is not None and is_away(record):
        result.left.append(pair)
        return True
    return False
