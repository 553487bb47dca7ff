"""What targets over HTTP do beyond the contract: old parts, and those of a broken send."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.targets.store_target import StoreTarget

from .conftest import need_rclone
from .place import Place, make_sample, send

_OLD = ".0123456789abcdef01234567.mp-part"
_YOUNG = ".76543210fedcba9876543210.mp-part"


@pytest.fixture(params=["webdav-wsgidav", "rclone-local"])
async def there(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    if request.param == "rclone-local":
        need_rclone()
        place: Place = request.getfixturevalue("rclone_servers").place(request.param)
    else:
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
    target, sample = opened(there), make_sample(tmp_path, 3_000_000)
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
