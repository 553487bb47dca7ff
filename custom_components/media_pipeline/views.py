"""Serves previews and films of the archive to people who are signed in."""

from http import HTTPStatus
from pathlib import Path
from typing import Final

from aiohttp import web
from homeassistant.components.http import HomeAssistantView
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant

from .const import DOMAIN
from .coordinator import MediaPipelineConfigEntry
from .engine.errors import FileVanished, PermanentError, PipelineError
from .engine.model import Kind, ShownAsset

THUMBNAIL: Final = "thumbnail"
FULL: Final = "full"
FILM: Final = "film"
_SIDES: Final = {THUMBNAIL: 320, FULL: 2048}
"""Pixels of the longer side."""
_TYPES: Final = {"mov": "video/quicktime"}
_KEEP: Final = {"Cache-Control": "private, max-age=86400"}


def url_of(entry_id: str, asset_id: int, what: str) -> str:
    """Where the view serves it."""
    return f"/api/{DOMAIN}/media/{entry_id}/{asset_id}/{what}"


def film_type(asset: ShownAsset) -> str:
    """The content type of a film."""
    return _TYPES.get(asset.container or "", "video/mp4")


class MediaView(HomeAssistantView):
    """Previews as JPEG, films as they are, with ranges."""

    url = f"/api/{DOMAIN}/media/{{entry_id}}/{{asset_id:[0-9]{{1,15}}}}/{{what}}"
    name = f"api:{DOMAIN}:media"

    def __init__(self, hass: HomeAssistant) -> None:
        """One for all entries."""
        self._hass = hass

    async def get(
        self, request: web.Request, entry_id: str, asset_id: str, what: str
    ) -> web.StreamResponse:
        """Answer with a file, 404 without one, 503 when it may be there later."""
        entry: MediaPipelineConfigEntry | None = self._hass.config_entries.async_get_entry(entry_id)
        if entry is None or entry.domain != DOMAIN or entry.state is not ConfigEntryState.LOADED:
            raise web.HTTPNotFound
        try:
            path, content_type = await self._file(entry, int(asset_id), what)
        except (FileVanished, PermanentError) as err:
            raise web.HTTPNotFound from err
        except PipelineError as err:
            return self.json_message(err.key, HTTPStatus.SERVICE_UNAVAILABLE)
        return web.FileResponse(path, headers={**_KEEP, "Content-Type": content_type})

    async def _file(
        self, entry: MediaPipelineConfigEntry, asset_id: int, what: str
    ) -> tuple[Path, str]:
        engine = entry.runtime_data.engine
        if what in _SIDES:
            return await engine.preview(asset_id, _SIDES[what]), "image/jpeg"
        found = await engine.shown(asset_id) if what == FILM else None
        if found is None or found[0].kind != Kind.VIDEO:
            raise FileVanished
        return found[1], film_type(found[0])
