"""A folder tree as a source."""

import os
import time
from pathlib import Path

import pytest
from PIL import Image

from custom_components.media_pipeline.engine.config import FolderSourceConfig
from custom_components.media_pipeline.engine.errors import (
    FileVanished,
    NotSupportedBySource,
    SourceFolderMissing,
)
from custom_components.media_pipeline.engine.model import AssetRecord, Kind, Role
from custom_components.media_pipeline.engine.sources.base import FreeRequest
from custom_components.media_pipeline.engine.sources.folder import FolderSource
from custom_components.media_pipeline.engine.sources.registry import make_source

from .conftest import Reader


def put(path: Path, content: bytes = b"x", age_s: float = 60) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    when = time.time() - age_s
    os.utime(path, (when, when))
    return path


async def walked(folder: Path) -> dict[str, AssetRecord]:
    reader = Reader(FolderSource(FolderSourceConfig(folder)))
    pages = await reader.read()
    assert pages[0].started_walk
    assert pages[-1].complete_walk
    assert not reader.cursor
    return reader.assets


def roles(asset: AssetRecord) -> dict[Role, str]:
    return {each.role: each.filename for each in asset.resources}


async def test_groups(tmp_path: Path) -> None:
    for name in (
        *("2024/IMG_1.HEIC", "2024/IMG_1.MOV", "2024/IMG_1.AAE"),
        *("2024/IMG_2.JPG", "2024/IMG_2.DNG", "2024/IMG_2.JPG.xmp"),
        *("2024/IMG_3.MOV", "2024/IMG_4.png", "2024/IMG_5.CR2"),
        *("2024/IMG_6.jpg", "2024/IMG_6.HEIC", "2024/IMG_6.mov"),
        *("2024/alone.AAE", "2024/notes.txt", "2024/Thumbs.db"),
        "IMG_1.HEIC",
    ):
        put(tmp_path / name, name.encode())
    assets = await walked(tmp_path)
    assert list(assets) == [
        *("IMG_1.HEIC", "2024/IMG_1.HEIC", "2024/IMG_2.JPG", "2024/IMG_3.MOV", "2024/IMG_4.png"),
        *("2024/IMG_5.CR2", "2024/IMG_6.HEIC", "2024/IMG_6.jpg"),
    ]
    assert roles(assets["2024/IMG_1.HEIC"]) == {
        Role.ORIGINAL: "IMG_1.HEIC",
        Role.LIVE_VIDEO: "IMG_1.MOV",
        Role.SIDECAR: "IMG_1.AAE",
    }
    assert roles(assets["2024/IMG_2.JPG"]) == {
        Role.ORIGINAL: "IMG_2.JPG",
        Role.ALTERNATIVE: "IMG_2.DNG",
        Role.SIDECAR: "IMG_2.JPG.xmp",
    }
    assert roles(assets["2024/IMG_6.HEIC"]) == {
        Role.ORIGINAL: "IMG_6.HEIC",
        Role.LIVE_VIDEO: "IMG_6.mov",
    }
    assert assets["2024/IMG_3.MOV"].kind is Kind.VIDEO
    assert assets["2024/IMG_5.CR2"].kind is Kind.PHOTO
    original = assets["IMG_1.HEIC"].resources[0]
    assert (original.size, original.url) == (10, str(tmp_path / "IMG_1.HEIC"))
    assert original.checksum is None


async def test_ignored(tmp_path: Path) -> None:
    for name in (
        *(".hidden.jpg", ".git/a.jpg", "@eaDir/a.jpg", "#recycle/a.jpg", ".media_pipeline/a.jpg"),
        *("a.jpg.part", "a.tmp", "~$a.jpg"),
    ):
        put(tmp_path / name)
    outside = put(tmp_path.parent / "outside" / "secret.jpg")
    (tmp_path / "link.jpg").symlink_to(outside)
    (tmp_path / "linked").symlink_to(outside.parent)
    put(tmp_path / "good.jpg")
    put(Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.jpg")))
    assert list(await walked(tmp_path)) == ["good.jpg"]


async def test_growing_files_wait(tmp_path: Path) -> None:
    put(tmp_path / "a.HEIC")
    put(tmp_path / "a.MOV", age_s=0)
    put(tmp_path / "b.HEIC")
    assert list(await walked(tmp_path)) == ["b.HEIC"]
    put(tmp_path / "a.MOV", age_s=20)
    assert list(await walked(tmp_path)) == ["a.HEIC", "b.HEIC"]


async def test_changed_file_has_a_new_tag(tmp_path: Path) -> None:
    put(tmp_path / "a.jpg", age_s=60)
    source = FolderSource(FolderSourceConfig(tmp_path))
    first = (await source.lookup(["a.jpg", "b.jpg", "no/where.jpg"]))["a.jpg"]
    assert first is not None
    assert (await source.lookup(["a.jpg"]))["a.jpg"] == first
    put(tmp_path / "a.jpg", b"other", age_s=50)
    second = (await source.lookup(["a.jpg", "b.jpg"]))["a.jpg"]
    assert second is not None
    assert second.asset_tag != first.asset_tag
    (tmp_path / "a.jpg").unlink()
    assert await source.lookup(["a.jpg", "no/where.jpg"]) == {"a.jpg": None, "no/where.jpg": None}


async def test_dates(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2019:05:06 07:08:09"
    for name, offset in (("utc", None), ("zone", "+02:00"), ("odd", "later")):
        if offset:
            exif.get_ifd(0x8769)[0x9011] = offset
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.jpg", exif=exif)
        put(tmp_path / f"{name}.jpg", (tmp_path / f"{name}.jpg").read_bytes())
    put(tmp_path / "broken.jpg", b"\xff\xd8\xff\xe1\xff\xff")
    film = put(tmp_path / "film.mov")
    assets = await walked(tmp_path)
    taken = 1557126489000
    assert assets["utc.jpg"].captured == taken
    assert assets["zone.jpg"].captured == taken - 2 * 3600 * 1000
    assert assets["odd.jpg"].captured == taken
    for name in ("broken.jpg", "film.mov"):
        assert assets[name].captured == (tmp_path / name).stat().st_mtime_ns // 1_000_000
    assert film.exists()


async def test_missing_folder(tmp_path: Path) -> None:
    source = FolderSource(FolderSourceConfig(tmp_path / "no"))
    with pytest.raises(SourceFolderMissing):
        await source.open()
    with pytest.raises(SourceFolderMissing):
        await Reader(source).read()
    with pytest.raises(SourceFolderMissing):
        await source.lookup(["a.jpg"])


async def test_empty_folder(tmp_path: Path) -> None:
    assert not await walked(tmp_path)


async def test_bytes(tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000
    path = put(tmp_path / "a.mov", content)
    outside = put(tmp_path.parent / "outside.mov")
    source = FolderSource(FolderSourceConfig(tmp_path))
    for offset in (0, 5, 1 << 20, len(content)):
        async with source.fetch(str(path), offset) as download:
            assert (download.offset, download.total) == (offset, len(content))
            assert b"".join([piece async for piece in download.pieces]) == content[offset:]
    for url in (str(tmp_path / "no.mov"), str(outside), f"{tmp_path}/../outside.mov"):
        with pytest.raises(FileVanished):
            async with source.fetch(url):
                pass


async def test_what_a_folder_can_not_do(tmp_path: Path) -> None:
    source = make_source(FolderSourceConfig(tmp_path), tmp_path / "session")
    assert (source.kind, source.can_free) == ("folder", False)
    with pytest.raises(NotSupportedBySource):
        await source.free([FreeRequest("a", "1")])
    with pytest.raises(NotSupportedBySource):
        await source.restore(["a"])
    assert await source.count() is None
    assert await source.usage() is None
    await source.close()


async def test_many_files(tmp_path: Path) -> None:
    for number in range(450):
        put(tmp_path / f"{number % 7}" / f"{number:04}.jpg")
    reader = Reader(FolderSource(FolderSourceConfig(tmp_path)))
    pages = await reader.read()
    assert len(reader.assets) == 450
    assert [len(page.assets) for page in pages] == [200, 200, 50, 0]
