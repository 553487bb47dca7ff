"""Bring assets and their masters together; they may come on different pages, or not at all."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import batched
from typing import Any, Final

from ...errors import ThrottledError
from ...model import AssetRecord
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


class Pairing:
    """Remembers the masters of recent pages and looks up those that never came."""

    def __init__(self, client: PhotosClient) -> None:
        self._client = client
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
            for record in await self._client.lookup(zone, batch):
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
