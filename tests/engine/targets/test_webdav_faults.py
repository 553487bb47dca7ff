"""What a WebDAV target does when the server, or what lies before it, is not as it should be."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import web

from custom_components.media_pipeline.engine import errors as e
from custom_components.media_pipeline.engine.targets.base import ProofRequest
from custom_components.media_pipeline.engine.targets.registry import probe_target
from custom_components.media_pipeline.engine.targets.webdav_answers import parse_list
from tests.support import wsgidav_server
from tests.support.between import Answer, Between
from tests.support.sftp_access import free_port
from tests.support.wsgidav_server import WsgidavServer

from .place import make_sample, send
from .webdav_place import WebdavPlace, WebdavServers

PATH = "2024/05/IMG_0001.HEIC"


@pytest.fixture
async def there(webdav_servers: WebdavServers) -> AsyncIterator[WebdavPlace]:
    place = webdav_servers.place("webdav-wsgidav")
    yield place
    await place.close()


def status(code: int, method: str, *, when: list[bool] | None = None) -> Answer:
    """Answer a method with a status, once ``when`` holds something."""

    def answer(request: web.Request) -> web.Response | None:
        if request.method == method and when != []:
            return web.Response(status=code)
        return None

    return answer


async def test_the_address_of_a_nextcloud_is_enough(tmp_path: Path) -> None:
    (tmp_path / "cloud").mkdir()
    user = wsgidav_server.USER
    server = WsgidavServer(tmp_path / "cloud", tmp_path, f"/remote.php/dav/files/{user}").start()
    login = (server.url, user, wsgidav_server.PASSWORD)
    place = WebdavPlace("webdav-wsgidav", tmp_path / "cloud" / "Photos", login=login, path="Photos")
    try:
        target, sample = place.target(), make_sample(tmp_path, 3_000)
        await target.open()
        await send(target, sample, PATH)
        assert place.files() == {PATH}
        assert [file.path async for file in target.listing()] == [PATH]
    finally:
        await place.close()
        server.close()


async def test_addresses_and_logins_that_are_wrong(there: WebdavPlace) -> None:
    url, _, _ = there.login
    with pytest.raises(e.TargetAuthFailed):
        await probe_target(there.config(password="wrong"))
    with pytest.raises(e.TargetUnreachable):
        await probe_target(there.config(url=f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(e.NoWebdav):
        await probe_target(there.config(url=f"{url}/no/where"))
    with pytest.raises(e.NoWebdav):
        await probe_target(there.config(url="nonsense"))
    async with Between(url, lambda _: web.Response(text="<html>hello</html>")) as other:
        with pytest.raises(e.NoWebdav):
            await probe_target(there.config(url=other.url))
    async with Between(url, lambda _: web.Response(status=207, text="<html/>")) as other:
        with pytest.raises(e.NoWebdav):
            await probe_target(there.config(url=other.url))

    assert not there.root.exists()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (401, e.TargetAuthFailed),
        (403, e.TargetReadOnly),
        (413, e.BodyTooLarge),
        (429, e.ThrottledError),
        (503, e.TargetUnreachable),
        (507, e.TargetFull),
        (423, e.TransientError),
        (201, e.CopyMismatch),  # says that it took the file, and did not
    ],
)
async def test_a_file_is_not_taken(
    there: WebdavPlace, tmp_path: Path, code: int, error: type[e.PipelineError]
) -> None:
    sample, now = make_sample(tmp_path, 3_000), list[bool]()
    async with Between(there.login[0], status(code, "PUT", when=now)) as between:
        target = there.target(url=between.url)
        await target.open()
        now.append(True)

        with pytest.raises(error):
            await send(target, sample, PATH)

        assert there.files() == set()
        now.clear()
        assert (await send(target, sample, PATH)).path == PATH
        await target.close()


async def test_a_rename_that_was_only_said(there: WebdavPlace, tmp_path: Path) -> None:
    sample, now = make_sample(tmp_path, 3_000), list[bool]()
    async with Between(there.login[0], status(201, "MOVE", when=now)) as between:
        target = there.target(url=between.url)
        await target.open()
        now.append(True)

        with pytest.raises(e.CopyMismatch):
            await send(target, sample, PATH)

        assert there.files() == set()
        await target.close()


async def test_a_server_that_ends_names_early(there: WebdavPlace, tmp_path: Path) -> None:
    """This one does at a semicolon: that file is refused, the next one goes on."""
    target, sample = there.target(), make_sample(tmp_path, 3_000)
    await target.open()

    with pytest.raises(e.NameRefused):
        await send(target, sample, "a;b.jpg")

    assert (await send(target, sample, "c.jpg")).path == "c.jpg"


async def test_a_foreign_file_with_our_name_at_the_last_moment(
    there: WebdavPlace, tmp_path: Path
) -> None:
    """Between our look and the rename: the server itself must refuse (``Overwrite: F``)."""
    sample = make_sample(tmp_path, 3_000)

    def interfere(request: web.Request) -> None:
        if request.method == "MOVE" and request.headers["Destination"].endswith("0001.HEIC"):
            there.write(PATH, b"foreign")

    async with Between(there.login[0], interfere) as between:
        target = there.target(url=between.url)
        await target.open()
        delivery = await send(target, sample, PATH)
        await target.close()

    assert there.read(PATH) == b"foreign"
    assert delivery.path != PATH
    assert there.read(delivery.path) == sample.data


async def test_compressed_on_the_way_back(there: WebdavPlace, tmp_path: Path) -> None:
    """Bytes that a proxy packed are not the file's, so they must not become a wrong proof."""
    sample = make_sample(tmp_path, 3_000)

    def packed(request: web.Request) -> web.Response | None:
        if request.method == "GET" and request.path.endswith(".HEIC"):
            return web.Response(body=b"packed", headers={"Content-Encoding": "gzip"})
        return None

    async with Between(there.login[0], packed) as between:
        target = there.target(url=between.url)
        await target.open()
        await send(target, sample, PATH)
        with pytest.raises(e.TargetUnavailableError):
            await target.prove([ProofRequest(PATH, sample.size)])
        await target.close()


def test_lists_of_nextcloud() -> None:
    """Its quota may be a negative number, and what it does not know comes with a 404."""
    [folder, file] = parse_list(
        b'<?xml version="1.0"?><d:multistatus xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns">'
        b"<d:response><d:href>/remote.php/dav/files/me/My%20%C3%BC/</d:href><d:propstat><d:prop>"
        b"<d:resourcetype><d:collection/></d:resourcetype>"
        b"<d:quota-available-bytes>-3</d:quota-available-bytes></d:prop>"
        b"<d:status>HTTP/1.1 200 OK</d:status></d:propstat><d:propstat><d:prop>"
        b"<d:getcontentlength/></d:prop><d:status>HTTP/1.1 404 Not Found</d:status></d:propstat>"
        b"</d:response><d:response><d:href>https://x/remote.php/dav/files/me/a.jpg</d:href>"
        b"<d:propstat><d:prop><d:resourcetype/><d:getcontentlength>7</d:getcontentlength></d:prop>"
        b"<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>"
    )

    assert (folder.path, folder.folder, folder.free) == (
        "/remote.php/dav/files/me/My ü",
        True,
        None,
    )
    assert (file.path, file.folder, file.size) == ("/remote.php/dav/files/me/a.jpg", False, 7)


def test_lists_that_are_refused() -> None:
    for body in (b"", b"<html/>", b'<!DOCTYPE x [<!ENTITY a "b">]><multistatus/>'):
        with pytest.raises(ValueError):  # noqa: PT011 any of its texts
            parse_list(body)


_LENGTH = re.compile(rb"(?i)content-length: (\d+)")


@pytest.mark.parametrize("lingers", [True, False])
async def test_a_proxy_that_takes_no_large_body(
    there: WebdavPlace, tmp_path: Path, lingers: bool
) -> None:
    """It answers before it read the body, as nginx does, and hangs up: that has a name.

    ``lingers``: it reads on to the end, so that its answer surely arrives.
    """
    real = there.login[0].removeprefix("http://")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            told = _LENGTH.search(head)
            length = int(told[1]) if told else 0
            if length > 1_000_000:
                writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n")
                writer.write(b"Connection: close\r\n\r\n")
                await writer.drain()
                await (reader.readexactly(length) if lingers else reader.read(1))
            else:
                head = head.replace(own.encode(), real.encode())
                head = head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
                up_reader, up_writer = await asyncio.open_connection(*real.split(":"))
                up_writer.write(head + await reader.readexactly(length))
                writer.write(await up_reader.read(-1))
                up_writer.close()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    own = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    target = there.target(url=f"http://{own}")
    await target.open()
    await send(target, make_sample(tmp_path, 900_000), PATH)
    with pytest.raises(e.BodyTooLarge):
        await send(target, make_sample(tmp_path, 9_000_000), "2024/05/IMG_0002.MOV")
    assert there.files() == {PATH}
    await target.close()
    server.close()
