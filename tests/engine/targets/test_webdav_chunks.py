"""Large files to a Nextcloud, in chunks; Nextcloud itself is a double before a real server."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine import errors as e
from custom_components.media_pipeline.engine.targets import webdav_chunks, webdav_store
from custom_components.media_pipeline.engine.targets.base import ProofRequest
from custom_components.media_pipeline.engine.targets.webdav_chunks import uploads_of
from tests.support import wsgidav_server
from tests.support.nextcloud import FILES, Nextcloud
from tests.support.wsgidav_server import WsgidavServer

from .place import make_sample, send
from .webdav_place import WebdavPlace

PATH = "2024/05/IMG_0001.MOV"
SIZE = (2 << 20) * 5 + 12_345


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files from 4 MiB on go in chunks of 2 MiB."""
    monkeypatch.setattr(webdav_store, "CHUNKED_FROM", 4 << 20)
    monkeypatch.setattr(webdav_chunks, "_CHUNK", 2 << 20)


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[tuple[Nextcloud, WebdavPlace]]:
    folder = tmp_path / "cloud"
    folder.mkdir()
    server = WsgidavServer(folder, tmp_path, FILES).start()
    async with Nextcloud(server.url, most=3 << 20) as nextcloud:
        login = (nextcloud.url, wsgidav_server.USER, wsgidav_server.PASSWORD)
        place = WebdavPlace("webdav-wsgidav", folder / "Ph otos", login=login, path="Ph otos")
        yield nextcloud, place
        await place.close()
    server.close()


async def test_a_large_file(cloud: tuple[Nextcloud, WebdavPlace], tmp_path: Path) -> None:
    """Through a proxy that takes no body as large as it; small ones go as ever."""
    nextcloud, place = cloud
    target, counts = place.target(), list[int]()
    await target.open()
    nextcloud.sizes.clear()
    sample = make_sample(tmp_path, SIZE)

    delivery = await send(target, sample, PATH, on_bytes=counts.append)
    [proof] = await target.prove([ProofRequest(PATH, SIZE)])

    assert delivery.path == PATH
    assert (proof.sha256, proof.size) == (sample.sha256, SIZE)
    assert nextcloud.sizes == [2 << 20] * 5 + [12_345]
    assert sum(counts) == SIZE
    assert nextcloud.uploads == {}
    small = make_sample(tmp_path, 1 << 20)
    await send(target, small, "2024/05/IMG_0002.JPG")
    assert place.files() == {PATH, "2024/05/IMG_0002.JPG"}
    assert nextcloud.sizes[6:] == [1 << 20]


async def test_a_proxy_without_patience(
    cloud: tuple[Nextcloud, WebdavPlace], tmp_path: Path
) -> None:
    nextcloud, place = cloud
    nextcloud.patience = False
    sample = make_sample(tmp_path, SIZE)
    assert (await send(place.target(), sample, PATH)).path == PATH
    assert place.read(PATH) == sample.data


async def test_a_server_that_knows_no_chunks(
    cloud: tuple[Nextcloud, WebdavPlace], tmp_path: Path
) -> None:
    nextcloud, place = cloud
    nextcloud.chunked = False
    target, sample = place.target(), make_sample(tmp_path, SIZE)
    with pytest.raises(e.BodyTooLarge):
        await send(target, sample, PATH)
    nextcloud.most = 1 << 30
    nextcloud.seen.clear()
    await send(target, sample, PATH)
    assert place.read(PATH) == sample.data
    assert not [call for call in nextcloud.seen if "/uploads/" in call], "asked once"


async def test_nothing_stays_of_what_was_not_sent_whole(
    cloud: tuple[Nextcloud, WebdavPlace], tmp_path: Path
) -> None:
    nextcloud, place = cloud
    target, sample, begun = place.target(), make_sample(tmp_path, SIZE), asyncio.Event()
    await target.open()
    with pytest.raises(e.SourceFileChanged):
        await send(target, sample, PATH, sha256="0" * 64)
    assert (nextcloud.uploads, place.files()) == ({}, set())

    task = asyncio.create_task(send(target, sample, PATH, on_bytes=lambda _: begun.set()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (nextcloud.uploads, place.files()) == ({}, set())
    nextcloud.most = 1 << 20
    with pytest.raises(e.BodyTooLarge):
        await send(target, sample, PATH)
    assert (nextcloud.uploads, place.files()) == ({}, set())


@pytest.mark.parametrize(
    ("base", "uploads"),
    [
        ("https://x/remote.php/dav/files/ha", "https://x/remote.php/dav/uploads/ha"),
        (
            "https://x/nc/remote.php/dav/files/h%C3%A4/a/b",
            "https://x/nc/remote.php/dav/uploads/h%C3%A4",
        ),
        ("https://x/remote.php/webdav", None),
        ("https://x/dav", None),
    ],
)
def test_where_chunks_go(base: str, uploads: str | None) -> None:
    assert uploads_of(base) == uploads
