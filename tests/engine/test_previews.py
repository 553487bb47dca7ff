"""Previews: made once, also when many ask at once, and never more than the limit."""

import asyncio
import os
from pathlib import Path

import pytest
from PIL import Image

from custom_components.media_pipeline.engine.archive import Archive
from custom_components.media_pipeline.engine.errors import MarkerMissing, MediaUnreadable
from custom_components.media_pipeline.engine.marker import MARKER_NAME, claim_folder
from custom_components.media_pipeline.engine.previews import FOLDER, Previews
from tests.support.pools import Pools

from .media import making


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path, claim_folder(tmp_path), 0)


def cached(archive: Archive) -> dict[str, int]:
    found = (archive.root / FOLDER).rglob("*.jpg")
    return {path.stem[:1]: path.stat().st_size for path in found}


async def test_made_once_for_all_who_ask(archive: Archive, tmp_path: Path, pools: Pools) -> None:
    pool = pools()
    calls = 0
    real = pool.preview

    async def count(source: Path, destination: Path, side: int) -> None:
        nonlocal calls
        calls += 1
        await real(source, destination, side)

    pool.preview = count  # type: ignore[method-assign]
    previews = Previews(archive, pool, 1_000_000)
    source = making.full_jpeg(tmp_path / "a.jpg")
    pool.pace.put("hot")  # somebody looks: no rest
    asked = (previews.get(source, "a" * 64, 100) for _ in range(5))
    made = await asyncio.gather(*asked)
    assert calls == 1
    assert len(set(made)) == 1
    with Image.open(made[0]) as image:
        assert image.size == (75, 100)
    assert await previews.get(source, "a" * 64, 100) == made[0]
    assert calls == 1


async def test_limit_and_the_oldest_look(archive: Archive, tmp_path: Path, pools: Pools) -> None:
    source = making.full_jpeg(tmp_path / "a.jpg")
    previews = Previews(archive, pools(), 1 << 30)
    first = await previews.get(source, "a" * 64, 200)
    size = first.stat().st_size
    previews = Previews(archive, pools(), int(size * 3.5))
    for number, letter in enumerate("bc"):
        path = await previews.get(source, letter * 64, 200)
        os.utime(path, (2000 + number, 2000 + number))
    await previews.get(source, "a" * 64, 200)  # looked at again
    await previews.get(source, "d" * 64, 200)
    assert set(cached(archive)) == {"a", "c", "d"} or set(cached(archive)) == {"a", "d"}
    assert sum(cached(archive).values()) <= size * 3.5
    assert not list(archive.root.rglob("*.mp-part"))


async def test_a_broken_file_is_tried_once(archive: Archive, tmp_path: Path, pools: Pools) -> None:
    source = tmp_path / "a.txt"
    source.write_text("no picture")
    pool = pools()
    previews = Previews(archive, pool, 1_000_000)
    with pytest.raises(MediaUnreadable):
        await previews.get(source, "a" * 64, 100)
    await pool.close()  # a second child would be refused by this
    with pytest.raises(MediaUnreadable):
        await previews.get(source, "a" * 64, 100)


async def test_nothing_is_written_without_the_marker(
    archive: Archive, tmp_path: Path, pools: Pools
) -> None:
    source = making.full_jpeg(tmp_path / "a.jpg")
    (archive.root / MARKER_NAME).unlink()
    with pytest.raises(MarkerMissing):
        await Previews(archive, pools(), 1_000_000).get(source, "a" * 64, 100)
    assert not (archive.root / FOLDER).exists()
