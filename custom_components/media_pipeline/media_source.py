"""The archive in the media browser: library, year, month, photo."""

from dataclasses import dataclass
from typing import Final, override

from homeassistant.components.media_player import BrowseError, MediaClass
from homeassistant.components.media_source import (
    BrowseMediaSource,
    MediaSource,
    MediaSourceItem,
    PlayMedia,
    Unresolvable,
)
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant, callback

from .const import DOMAIN
from .coordinator import MediaPipelineConfigEntry
from .engine.engine import Engine
from .engine.errors import PipelineError
from .engine.model import Kind, ShownAsset
from .errors import service_error
from .views import FILM, FULL, THUMBNAIL, film_type, url_of

_ASSET: Final = "asset"
_FOLDER: Final = "folder"


async def async_get_media_source(hass: HomeAssistant) -> MediaSource:
    """Set up the media source; Home Assistant asks for it when somebody first looks."""
    return ArchiveMediaSource(hass)


@dataclass(frozen=True, slots=True)
class Place:
    """What an identifier means: ``entry``, ``entry/folder/library/2024/05``, ``entry/asset/7``."""

    entry_id: str
    library: str | None = None
    folder: str = ""
    """``2024``, ``2024/05`` or ``undated``."""
    asset_id: int | None = None

    @classmethod
    def parse(cls, identifier: str) -> Place:
        """Raises ValueError for what is none of ours."""
        entry_id, _, rest = identifier.partition("/")
        if not rest:
            return cls(entry_id)
        kind, _, rest = rest.partition("/")
        if kind == _ASSET:
            return cls(entry_id, asset_id=int(rest))
        if kind != _FOLDER or not rest:
            raise ValueError(identifier)
        library, _, folder = rest.partition("/")
        return cls(entry_id, library, folder)

    def __str__(self) -> str:
        """As an identifier."""
        if self.asset_id is not None:
            return f"{self.entry_id}/{_ASSET}/{self.asset_id}"
        if self.library is None:
            return self.entry_id
        # a folder source's library has no name, so both slashes stay
        return f"{self.entry_id}/{_FOLDER}/{self.library}/{self.folder}"


class ArchiveMediaSource(MediaSource):
    """What is archived and not hidden."""

    name = "Media Pipeline"

    def __init__(self, hass: HomeAssistant) -> None:
        """One for all entries."""
        super().__init__(DOMAIN)
        self._hass = hass

    @override
    async def async_resolve_media(self, item: MediaSourceItem) -> PlayMedia:
        """A photo as JPEG that every browser shows, or a film as it is."""
        try:
            place = Place.parse(item.identifier)
        except ValueError as err:
            raise _not_found(Unresolvable) from err
        if place.asset_id is None:
            raise _not_found(Unresolvable)
        engine = self._entry(place.entry_id, Unresolvable).runtime_data.engine
        try:
            found = await engine.shown(place.asset_id)
        except PipelineError as err:
            raise Unresolvable(str(service_error(err))) from err
        if found is None:
            raise _not_found(Unresolvable)
        asset, path = found
        if asset.kind == Kind.VIDEO:
            url = url_of(place.entry_id, asset.asset_id, FILM)
            return PlayMedia(url, film_type(asset), path=path)
        # the path, for integrations that take files, only where the type fits the file
        file = path if asset.container == "jpeg" else None
        return PlayMedia(url_of(place.entry_id, asset.asset_id, FULL), "image/jpeg", path=file)

    @override
    async def async_browse_media(self, item: MediaSourceItem) -> BrowseMediaSource:
        """What lies below an identifier."""
        try:
            place = Place.parse(item.identifier) if item.identifier else None
        except ValueError as err:
            raise _not_found(BrowseError) from err
        if place is None:
            entries = self._hass.config_entries.async_loaded_entries(DOMAIN)
            below = [_directory(Place(entry.entry_id), entry.title) for entry in entries]
            return _directory(None, self.name, below)
        if place.asset_id is not None:
            raise _not_found(BrowseError)
        entry = self._entry(place.entry_id, BrowseError)
        try:
            below = await _below(entry.runtime_data.engine, place)
        except PipelineError as err:
            raise BrowseError(str(service_error(err))) from err
        return _directory(place, place.folder or _title(place.library or entry.title), below)

    @callback
    def _entry(
        self, entry_id: str, error: type[BrowseError | Unresolvable]
    ) -> MediaPipelineConfigEntry:
        entry = self._hass.config_entries.async_get_entry(entry_id)
        if entry is None or entry.domain != DOMAIN or entry.state is not ConfigEntryState.LOADED:
            raise _not_found(error)
        return entry


async def _below(engine: Engine, place: Place) -> list[BrowseMediaSource]:
    """Libraries, or years where there is only one; months; assets."""
    library, entry_id = place.library, place.entry_id
    if library is None:
        libraries = await engine.libraries()
        if len(libraries) != 1:
            return [_directory(Place(entry_id, name), _title(name)) for name in libraries]
        library = libraries[0]
    folders = await engine.folders(library)
    if place.folder in folders:
        assets = await engine.in_folder(library, place.folder)
        return [_picture(entry_id, asset) for asset in assets]
    depth = place.folder.count("/") + 1 if place.folder else 0
    inside = place.folder + "/" if place.folder else ""
    names = dict.fromkeys(
        "/".join(folder.split("/")[: depth + 1]) for folder in folders if folder.startswith(inside)
    )
    return [_directory(Place(entry_id, library, name), name) for name in names]


def _title(library: str) -> str:
    """A library as people know it."""
    if library.startswith("SharedSync"):
        return "Shared Library"
    return "Photos" if library == "PrimarySync" else library


def _directory(
    place: Place | None, title: str, children: list[BrowseMediaSource] | None = None
) -> BrowseMediaSource:
    return BrowseMediaSource(
        domain=DOMAIN,
        identifier=None if place is None else str(place),
        media_class=MediaClass.DIRECTORY,
        media_content_type="",
        title=title,
        can_play=False,
        can_expand=True,
        children=children,
        children_media_class=MediaClass.DIRECTORY,
    )


def _picture(entry_id: str, asset: ShownAsset) -> BrowseMediaSource:
    film = asset.kind == Kind.VIDEO
    return BrowseMediaSource(
        domain=DOMAIN,
        identifier=str(Place(entry_id, asset_id=asset.asset_id)),
        media_class=MediaClass.VIDEO if film else MediaClass.IMAGE,
        media_content_type=film_type(asset) if film else "image/jpeg",
        title=asset.filename,
        can_play=True,
        can_expand=False,
        thumbnail=url_of(entry_id, asset.asset_id, THUMBNAIL),
    )


def _not_found[T: BrowseError | Unresolvable](error: type[T]) -> T:
    return error(translation_domain=DOMAIN, translation_key="media_not_found")
