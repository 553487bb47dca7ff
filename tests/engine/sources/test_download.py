"""Bytes: whole, in parts, cut, expired, and things that are no photo."""

import asyncio

import pytest

from custom_components.media_pipeline.engine.checksums import Digest
from custom_components.media_pipeline.engine.errors import (
    ErrorBody,
    FileVanished,
    SourceBadAnswer,
    SourceUnreachable,
    ThrottledError,
    UrlExpired,
)
from custom_components.media_pipeline.engine.model import AssetRecord, ResourceRecord, Role
from custom_components.media_pipeline.engine.sources.icloud.source import ICloudSource
from tests.icloud_server.client import StandIn

SIZE = 3_000_000


@pytest.fixture
async def film(source: ICloudSource, server: StandIn) -> ResourceRecord:
    (name,) = server.control("add", kind="video", size=SIZE)["assets"]
    return await fresh(source, f"PrimarySync/{name}")


async def fresh(source: ICloudSource, key: str) -> ResourceRecord:
    asset = (await source.lookup([key]))[key]
    assert isinstance(asset, AssetRecord)
    assert asset.resources[0].role is Role.ORIGINAL
    return asset.resources[0]


async def read(source: ICloudSource, url: str | None, offset: int = 0) -> bytes:
    assert url is not None
    async with source.fetch(url, offset) as download:
        assert download.offset == offset
        return b"".join([piece async for piece in download.pieces])


def digest(content: bytes) -> str:
    made = Digest()
    made.update(content)
    return made.apple


async def test_whole(source: ICloudSource, film: ResourceRecord) -> None:
    assert film.url is not None
    async with source.fetch(film.url) as download:
        assert (download.offset, download.total) == (0, SIZE)
        pieces = [piece async for piece in download.pieces]
    assert digest(b"".join(pieces)) == film.checksum
    assert film.url_expires is not None


async def test_cut_and_resumed(source: ICloudSource, server: StandIn, film: ResourceRecord) -> None:
    server.fault("content", cut_after=1_500_000, times=1)
    assert film.url is not None
    content = b""
    async with source.fetch(film.url) as download:
        with pytest.raises(SourceUnreachable):  # noqa: PT012
            while True:
                content += await anext(download.pieces)
    assert 0 < len(content) <= 1_500_000
    async with source.fetch(film.url, len(content)) as download:
        assert (download.offset, download.total) == (len(content), SIZE)
        async for piece in download.pieces:
            content += piece
    assert digest(content) == film.checksum
    assert await read(source, film.url, SIZE) == b""
    with pytest.raises(SourceBadAnswer):
        await read(source, film.url, SIZE + 1)


async def test_range_ignored(source: ICloudSource, server: StandIn, film: ResourceRecord) -> None:
    server.fault("content", ignore_range=True)
    assert film.url is not None
    async with source.fetch(film.url, 1000) as download:
        assert (download.offset, download.total) == (0, SIZE)
        content = b"".join([piece async for piece in download.pieces])
    assert digest(content) == film.checksum


async def test_other_range_than_asked(
    source: ICloudSource, server: StandIn, film: ResourceRecord
) -> None:
    server.fault("content", shift_range=7)
    with pytest.raises(SourceBadAnswer):
        await read(source, film.url, 1000)


@pytest.mark.parametrize("status", [401, 403, 410])
async def test_expired(
    source: ICloudSource, server: StandIn, film: ResourceRecord, status: int
) -> None:
    server.fault("content", status=status, times=1)
    with pytest.raises(UrlExpired):
        await read(source, film.url)
    assert len(await read(source, film.url)) == SIZE


async def test_expired_by_the_clock(
    source: ICloudSource, server: StandIn, film: ResourceRecord
) -> None:
    server.fault("content", expired=True, times=1)
    with pytest.raises(UrlExpired):
        await read(source, film.url)


async def test_refusals(source: ICloudSource, server: StandIn, film: ResourceRecord) -> None:
    for status, error in ((404, FileVanished), (500, SourceUnreachable), (418, SourceBadAnswer)):
        server.fault("content", status=status, times=1)
        with pytest.raises(error):
            await read(source, film.url)
    server.fault("content", drop=True)
    with pytest.raises(SourceUnreachable):
        await read(source, film.url)
    server.control("clear_faults")
    for status in (429, 503):
        server.fault("content", status=status, headers={"Retry-After": "1"}, times=1)
        with pytest.raises(ThrottledError) as caught:
            await read(source, film.url)
        assert 1 <= caught.value.retry_after <= 2.2  # the second time in a row it is twice as long
        await asyncio.sleep(caught.value.retry_after)


async def test_error_text_instead_of_a_photo(
    source: ICloudSource, server: StandIn, film: ResourceRecord
) -> None:
    server.fault("content", json={"error": "x"}, times=1)
    with pytest.raises(ErrorBody):
        await read(source, film.url)
    server.fault("content", html="<html>", times=1)
    with pytest.raises(ErrorBody):
        await read(source, film.url)


@pytest.mark.parametrize("url", ["", "/etc/passwd", "file:///etc/passwd", "http://a/b"])
async def test_no_address(source: ICloudSource, url: str) -> None:
    with pytest.raises(UrlExpired):
        await read(source, url)


async def test_many_at_once_and_let_go(
    source: ICloudSource, server: StandIn, film: ResourceRecord
) -> None:
    contents = await asyncio.gather(*(read(source, film.url, n * 100) for n in range(24)))
    assert [len(content) for content in contents] == [SIZE - n * 100 for n in range(24)]
    assert film.url is not None
    async with source.fetch(film.url) as download:
        assert await anext(download.pieces)  # and then no more of it
    await source.close()
    await source.close()
