"""What the owner knows a film by, written into its smaller version beside all that it said."""

import struct
from pathlib import Path
from typing import Any

import pytest

from custom_components.media_pipeline.engine.media.container import check_container
from custom_components.media_pipeline.engine.media.jobs import (
    Captions,
    CompressJob,
    Reason,
    VideoPreset,
)
from custom_components.media_pipeline.engine.media.pool import MediaPool
from custom_components.media_pipeline.engine.media.video import compress_video

from . import making, reading

FAST = VideoPreset(speed="ultrafast", floor_mbps=0.1)
CAPTIONS = Captions("A title", "Über den See", ("lake", "boat"), favorite=True)
TAGS = {"com.apple.quicktime.location.ISO6709": "+52.5200+013.4050+034.000/"}
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


def film(path: Path, packet: bytes | None = None) -> Path:
    making.video(path, tags=TAGS)
    if packet is not None:
        body = _XMP + packet
        with path.open("ab") as file:
            file.write(struct.pack(">I4s", len(body) + 8, b"uuid") + body)
    return path


def packets(path: Path) -> list[bytes]:
    """The XMP of a film."""
    return path.read_bytes().split(b"uuid" + _XMP)[1:]


@pytest.mark.parametrize("ending", [".mov", ".mp4"])
async def test_captions_are_written(ending: str, tmp_path: Path, pool: MediaPool) -> None:
    source, out = film(tmp_path / f"a{ending}"), tmp_path / f"out{ending}"
    job = CompressJob(source, out, "video", preset=FAST, captions=CAPTIONS)
    assert (await pool.compress(job)).kept
    assert check_container(out) == ending[1:]
    assert len(packets(out)) == 1
    assert "Über den See".encode() in packets(out)[0]


@reading.needs_exiftool
async def test_another_reader_finds_them_beside_the_place(tmp_path: Path, pool: MediaPool) -> None:
    own = making.packet('xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="video/mp4"')
    source, out = film(tmp_path / "a.mp4", own), tmp_path / "out.mp4"
    job = CompressJob(source, out, "video", preset=FAST, captions=CAPTIONS)
    assert (await pool.compress(job)).kept
    found: dict[str, Any] = reading.exiftool(out)
    assert found["XMP-dc:Title"] == "A title"
    assert found["XMP-dc:Description"] == "Über den See"
    assert found["XMP-dc:Subject"] == ["lake", "boat"]
    assert found["XMP-xmp:Rating"] == 5
    assert found["XMP-dc:Format"] == "video/mp4"  # what it said before
    before = reading.exiftool(source)
    place = next(key for key in before if key.endswith("LocationISO6709") or "GPSCoord" in key)
    assert found[place] == before[place]


def test_without_captions_nothing_is_added(tmp_path: Path) -> None:
    source, out = film(tmp_path / "a.mov"), tmp_path / "out.mov"
    only_a_date = Captions(captured="2024-05-06T07:08:09+02:00")
    for captions in (None, only_a_date):
        assert compress_video(source, out, FAST, captions=captions).kept
        assert not packets(out)


def test_a_film_whose_own_xmp_can_not_be_read_is_left_alone(tmp_path: Path) -> None:
    source, out = film(tmp_path / "a.mov", b"<not xmp"), tmp_path / "out.mov"
    assert compress_video(source, out, FAST).kept  # copied as it is
    result = compress_video(source, out, FAST, captions=CAPTIONS)
    assert result.reason is Reason.METADATA
    assert not out.exists()
