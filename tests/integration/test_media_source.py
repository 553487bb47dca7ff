"""The archive in the media browser, from a run to the bytes that a browser gets."""

import io
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from homeassistant.components import media_source
from homeassistant.components.media_player import BrowseError
from homeassistant.components.media_source import Unresolvable
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from PIL import Image
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.media_pipeline.const import DOMAIN
from custom_components.media_pipeline.engine.previews import FOLDER
from tests.engine.media import making

from .conftest import Places

pytestmark = pytest.mark.usefixtures("socket_enabled")
ROOT = f"media-source://{DOMAIN}"


async def browse(hass: HomeAssistant, media_id: str) -> Any:
    return await media_source.async_browse_media(hass, media_id)


async def leaves(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, Any]:
    """Every asset by its name, found by walking down from the entry."""
    found = {}
    todo = [f"{ROOT}/{entry.entry_id}"]
    while todo:
        for child in (await browse(hass, todo.pop())).children:
            if child.can_expand:
                todo.append(child.media_content_id)
            else:
                found[child.title] = child
    return found


@pytest.fixture
async def archived(hass: HomeAssistant, places: Places, real_entry: MockConfigEntry) -> Path:
    """An entry with photos and a film in its archive; returns the archive."""
    making.full_jpeg(places.photos / "big.jpg")  # turned, with a place
    making.heic(places.photos / "phone.heic")
    making.video(places.photos / "film.mp4", sound="aac")
    (places.photos / "odd.jpg").write_bytes(broken_jpeg(places.root))
    for path in places.photos.iterdir():  # none of them is growing still
        os.utime(path, (1_700_000_000, 1_700_000_000))
    assert await async_setup_component(hass, "media_source", {})
    await hass.services.async_call(
        DOMAIN, "run", {"stages": ["ingest"], "wait": True}, blocking=True, return_response=True
    )
    return places.archive


def broken_jpeg(folder: Path) -> bytes:
    """Whole by its container; its picture does not decode."""
    raw = making.jpeg(folder / "x.jpg", 64, 64).read_bytes()
    at = raw.index(b"\xff\xdb")
    end = at + 2 + int.from_bytes(raw[at + 2 : at + 4])
    return raw[:at] + raw[end:]  # without the tables to decode by


async def test_tree(hass: HomeAssistant, archived: Path, real_entry: MockConfigEntry) -> None:
    root = await browse(hass, ROOT)
    assert [(child.title, child.can_expand) for child in root.children] == [("Photo folder", True)]
    years = await browse(hass, root.children[0].media_content_id)
    assert years.children
    assert all(len(child.title) == 4 and child.title.isdigit() for child in years.children)
    assert [c.title for c in years.children] == sorted(
        (c.title for c in years.children), reverse=True
    )
    months = await browse(hass, years.children[0].media_content_id)
    assert all(child.title.startswith(years.children[0].title + "/") for child in months.children)
    found = await leaves(hass, real_entry)
    assert {"big.jpg", "phone.heic", "film.mp4", "IMG_0000.JPG"} <= set(found)
    assert found["film.mp4"].media_class == "video"
    assert found["phone.heic"].media_content_type == "image/jpeg"


async def test_pictures(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    hass_client_no_auth: ClientSessionGenerator,
    archived: Path,
    real_entry: MockConfigEntry,
) -> None:
    client = await hass_client()
    found = await leaves(hass, real_entry)
    for name, size in (("big.jpg", (240, 320)), ("phone.heic", None), ("film.mp4", None)):
        answer = await client.get(found[name].thumbnail)
        assert answer.status == 200
        assert answer.content_type == "image/jpeg"
        image = Image.open(io.BytesIO(await answer.read()))
        image.load()
        assert max(image.size) <= 320
        assert size is None or image.size == size  # upright
        assert not image.getexif()  # no place
        assert "xmp" not in image.info
    stranger = await hass_client_no_auth()
    assert (await stranger.get(found["big.jpg"].thumbnail)).status == 401
    assert (await client.get(found["odd.jpg"].thumbnail)).status == 404
    base = found["big.jpg"].thumbnail.rsplit("/", 2)[0]
    for path in (f"{base}/99999/thumbnail", f"{base}/1/nothing", base[:-1] + "x/1/full"):
        assert (await client.get(path)).status == 404


async def test_playing(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    archived: Path,
    real_entry: MockConfigEntry,
    places: Places,
) -> None:
    client = await hass_client()
    found = await leaves(hass, real_entry)
    film = await media_source.async_resolve_media(hass, found["film.mp4"].media_content_id, None)
    assert film.mime_type == "video/mp4"
    answer = await client.get(film.url, headers={"Range": "bytes=0-99"})
    assert answer.status == 206
    raw = (places.photos / "film.mp4").read_bytes()
    assert await answer.read() == raw[:100]
    photo = await media_source.async_resolve_media(hass, found["big.jpg"].media_content_id, None)
    assert photo.path is not None
    assert photo.path.read_bytes() == (places.photos / "big.jpg").read_bytes()
    image = Image.open(io.BytesIO(await (await client.get(photo.url)).read()))
    assert image.size == (480, 640)  # never enlarged
    heic = await media_source.async_resolve_media(hass, found["phone.heic"].media_content_id, None)
    assert heic.path is None  # it is no JPEG
    for bad in ("x", f"{real_entry.entry_id}/asset/99999", f"{real_entry.entry_id}/asset/y"):
        with pytest.raises(Unresolvable):
            await media_source.async_resolve_media(hass, f"{ROOT}/{bad}", None)
    for bad in ("x", f"{real_entry.entry_id}/asset/1", f"{real_entry.entry_id}/other/1"):
        with pytest.raises(BrowseError):
            await browse(hass, f"{ROOT}/{bad}")


async def test_archive_that_went_away(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    archived: Path,
    real_entry: MockConfigEntry,
) -> None:
    """Nothing is written where the archive was mounted."""
    client = await hass_client()
    found = await leaves(hass, real_entry)
    shutil.move(archived, archived.with_name("elsewhere"))
    archived.mkdir()
    assert (await client.get(found["big.jpg"].thumbnail)).status in {404, 503}
    assert list(archived.iterdir()) == []


async def test_previews_lie_in_the_hidden_folder(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    archived: Path,
    real_entry: MockConfigEntry,
) -> None:
    client = await hass_client()
    found = await leaves(hass, real_entry)
    await client.get(found["big.jpg"].thumbnail)
    made = list((archived / FOLDER).rglob("*.jpg"))
    assert len(made) == 1
    before = made[0].stat().st_ino
    await client.get(found["big.jpg"].thumbnail)
    assert [path.stat().st_ino for path in (archived / FOLDER).rglob("*.jpg")] == [before]
