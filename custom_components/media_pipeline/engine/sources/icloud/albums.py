"""Albums and who lies in them: from raw records, and listed for a full walk.

A membership is a record of its own, ``<asset>-IN-<album>``, and the change feed brings it like any
other; of one that was removed only that name is left. Photos does not change the asset's record
when it joins or leaves an album.
"""

import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from ...errors import SourceBadAnswer
from ...model import AlbumChanges, AlbumRecord
from .client import PhotosClient, Zone
from .details import plain_text
from .records import ASSET
from .values import field_of, int_of, text_of

_LOGGER = logging.getLogger(__name__)
ALBUM: Final = "CPLAlbum"
RELATION: Final = "CPLContainerRelation"
_MEMBERS: Final = "CPLContainerRelationLiveByAssetDate"
_MEMBER_KEYS: Final = ("containerId", "itemId", "masterRef", "isDeleted", "isExpunged")
_IN: Final = "-IN-"
_FOLDER: Final = 3
_ROOTS: Final = frozenset({"----Root-Folder----", "----Project-Root-Folder----"})
_NAMED: Final = "-"
"""Where a listing stands that gave the names only; sorts before every key."""
_MANY: Final = 10_000
"""Pages of one listing before it counts as endless."""
_OVERLAP: Final = 1
_STEP_BACK: Final = 50

type Record = Mapping[str, Any]


def album_record(zone: str, record: Record) -> AlbumRecord | str | None:
    """The album or folder; None when it is none (any more); a text says why it can't be read."""
    name = text_of(record.get("recordName"))
    if name is None:
        return "no_record_name"
    if name in _ROOTS or is_away(record):
        return None
    shown = plain_text(record, "albumNameEnc")
    if shown is None:
        return "no_album_name"
    parent = text_of(field_of(record, "parentId"))
    return AlbumRecord(
        key=f"{zone}/{name}",
        library=zone,
        name=shown,
        parent_key=f"{zone}/{parent}" if parent and parent not in _ROOTS else None,
        folder=int_of(field_of(record, "albumType")) == _FOLDER,
    )


def is_away(record: Record) -> bool:
    """True for an album or a membership that was deleted."""
    return record.get("deleted") is True or any(
        int_of(field_of(record, flag)) == 1 for flag in ("isDeleted", "isExpunged")
    )


def membership(zone: str, record: Record) -> tuple[str, str] | None:
    """(album key, asset key) of a membership, also of a deleted one; None when it says neither."""
    asset, album = text_of(field_of(record, "itemId")), text_of(field_of(record, "containerId"))
    if asset is None or album is None:
        asset, found, album = (text_of(record.get("recordName")) or "").partition(_IN)
        if not found or not asset or not album:
            return None
    return f"{zone}/{album}", f"{zone}/{asset}"


class AlbumListing:
    """All albums of one library: one request for each level of folders, one for each album."""

    def __init__(self, client: PhotosClient, zone: Zone) -> None:
        self._client, self._zone = client, zone

    async def pages(self, after: str) -> AsyncGenerator[tuple[AlbumChanges, str]]:
        """What the albums hold, with where to go on from; ``after`` is where it stopped before.

        Names all albums first, then gives every album's members, in the order of their keys.
        """
        try:
            found = await self._albums()
        except SourceBadAnswer as error:  # shared libraries do not have all indexes
            _LOGGER.debug("%s has no albums: %s", self._zone.name, error)
            return
        if not after:
            yield AlbumChanges(albums=tuple(found), all_of=self._zone.name), _NAMED
        for key in sorted(album.key for album in found if not album.folder):
            if key > after:
                members = await self._members(key)
                if members is not None:
                    yield AlbumChanges(members=((key, members),)), key

    async def _albums(self) -> list[AlbumRecord]:
        found: dict[str, AlbumRecord] = {}
        folders: list[str | None] = [None]
        for folder in folders:  # grows while we go
            for record in await self._client.albums(self._zone, folder):
                album = album_record(self._zone.name, record)
                if not isinstance(album, AlbumRecord) or album.key in found:
                    continue
                if album.parent_key is None and folder is not None:
                    album = replace(album, parent_key=f"{self._zone.name}/{folder}")
                found[album.key] = album
                if album.folder:
                    folders.append(album.key.partition("/")[2])
        return list(found.values())

    async def _members(self, album: str) -> tuple[str, ...] | None:
        """Every page overlaps the one before; when it doesn't, it steps back, as in listing.py."""
        members: dict[str, None] = {}
        rank, step = 0, _STEP_BACK
        for _ in range(_MANY):
            try:
                page = await self._client.listed(
                    self._zone, _MEMBERS, rank, parent=album.partition("/")[2], keys=_MEMBER_KEYS
                )
            except SourceBadAnswer as error:  # deleted meanwhile, for one: the feed will say so
                _LOGGER.debug("an album of %s can't be listed: %s", self._zone.name, error)
                return None
            names = _names(page.records)
            if rank and members.keys().isdisjoint(names):
                rank, step = max(rank - step, 0), step * 2
                continue
            before = len(members)
            members |= dict.fromkeys(names)
            if not page.more or (rank and len(members) == before):
                break
            rank += max(len(names) - _OVERLAP, 1)
        return tuple(f"{self._zone.name}/{name}" for name in members)


def _names(records: Sequence[Record]) -> list[str]:
    """Record names of the assets, from the memberships and from the assets themselves."""
    names: dict[str, None] = {}
    for record in records:
        if is_away(record):
            continue
        name = None
        if record.get("recordType") == RELATION:
            name = text_of(field_of(record, "itemId"))
        elif record.get("recordType") == ASSET:
            name = text_of(record.get("recordName"))
        if name is not None:
            names[name] = None
    return list(names)
