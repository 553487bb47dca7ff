"""What targets over HTTP do beyond the contract: old parts, and those of a broken send."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import pytest
from aiohttp import web

from custom_components.media_pipeline.engine.targets.store_target import StoreTarget
from tests.support.between import Between

from .conftest import need_rclone
from .place import Place, make_sample, send
from .rclone_place import RclonePlace

_OLD = ".0123456789abcdef01234567.mp-part"
_YOUNG = ".76543210fedcba9876543210.mp-part"


@pytest.fixture(params=["webdav-wsgidav", "rclone-local"])
async def there(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    if request.param.startswith("rclone-"):
        need_rclone()
        place: Place = request.getfixturevalue("rclone_servers").place(request.param)
    else:
        if request.param == "webdav-rclone":
            need_rclone()
        place = request.getfixturevalue("webdav_servers").place(request.param)
    yield place
    await place.close()


def opened(place: Place) -> StoreTarget:
    target = place.target()
    assert isinstance(target, StoreTarget)
    return target


async def test_a_listing_removes_parts_that_nobody_finished(there: Place) -> None:
    target = opened(there)
    await target.open()
    for name in (f"2024/{_OLD}", _YOUNG, "2024/.hidden-of-others"):
        there.write(name, b"x")
        os.utime(there.root / name, (1e9, 1e9))
    os.utime(there.root / _YOUNG)

    listed = {file.path async for file in target.listing()}

    assert listed == {"2024/.hidden-of-others"}
    assert there.files() == {_YOUNG, "2024/.hidden-of-others"}


@pytest.mark.parametrize("there", ["webdav-wsgidav"], indirect=True)
async def test_a_part_that_comes_back_goes_with_the_next_connection(
    there: Place, tmp_path: Path
) -> None:
    """Some servers keep what they have of a broken transfer only after we removed it."""
    target, sample = opened(there), make_sample(tmp_path, 16_000_000)
    await target.open()
    parts: set[str] = set()

    def note(_: int) -> None:
        parts.update(name for name in there.files() if name.endswith(".mp-part"))

    with pytest.raises(Exception, match="changed since"):
        await send(target, sample, "2024/a.jpg", sha256="0" * 64, on_bytes=note)
    assert there.files() == set()
    there.write(parts.pop(), b"half")

    await target.open()

    assert there.files() == set()


@pytest.mark.parametrize(
    "there", ["webdav-wsgidav", "webdav-rclone", "rclone-local", "rclone-s3"], indirect=True
)
async def test_the_limit_is_kept_by_all_files_together(there: Place, tmp_path: Path) -> None:
    target = there.target(bandwidth=1_000_000)
    await target.open()
    samples = [make_sample(tmp_path, 1_000_000, seed) for seed in (1, 2)]
    began = monotonic()
    await asyncio.gather(
        *(send(target, sample, f"2024/05/{seed}.jpg") for seed, sample in enumerate(samples))
    )
    # 2 s, less the quarter second that may be made up for
    assert monotonic() - began > 1.5


@pytest.mark.parametrize("there", ["rclone-local"], indirect=True)
async def test_the_limit_where_rclone_could_not_be_streamed_to(
    there: RclonePlace, tmp_path: Path
) -> None:
    """What is fed slowly would be sent on at full speed: rclone itself keeps a share of it."""

    def no_streams(request: web.Request) -> web.Response | None:
        if request.path != "/operations/fsinfo":
            return None
        return web.json_response({"Features": {"Move": True, "PutStream": False}, "Hashes": []})

    sample = make_sample(tmp_path, 2_000_000)
    async with Between(there.rclone.url, no_streams) as between:
        target = there.target(url=between.url, bandwidth=4_000_000, parallel=4)
        await target.open()
        began = monotonic()
        await send(target, sample, "2024/05/1.mov")
        assert monotonic() - began > 1.5
        assert "POST /operations/uploadfile" not in between.seen[-8:]
        assert there.read("2024/05/1.mov") == sample.data
        await target.close()
