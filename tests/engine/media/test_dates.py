"""Dates that nobody can have taken a photo at, and which of several dates wins."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.media.dates import (
    exif_moment,
    first_sensible,
    makes_sense,
)
from custom_components.media_pipeline.engine.media.pool import MediaPool
from custom_components.media_pipeline.engine.media.probe import probe_file
from custom_components.media_pipeline.engine.media.stamp import stamp_creation

from . import making

NOW = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
NONSENSE = [
    "1904-01-01T00:00:00+00:00",
    "1904-01-01T02:00:00",
    "1970-01-01T00:00:00",
    "1969-12-31T19:00:00",
    "1970-01-01T05:45:00+00:00",
    "1980-01-01T00:00:00",
    "1980-01-06T00:00:00",
    "2001-01-01T00:00:00+00:00",
    "1825-12-31T12:00:00",
    "2026-05-08T00:00:00+00:00",
    "2106-02-07T06:28:15+00:00",
]
SENSE = [
    "1826-07-01T12:00:00",
    "1970-01-01T00:00:01",
    "1970-01-02T15:00:00",
    "1999-12-31T23:59:59",
    "2026-05-06T21:00:00+14:00",
]


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense(text: str) -> None:
    assert not makes_sense(datetime.fromisoformat(text), NOW)


@pytest.mark.parametrize("text", SENSE)
def test_sense(text: str) -> None:
    assert makes_sense(datetime.fromisoformat(text), NOW)


def test_the_first_that_makes_sense_wins() -> None:
    found = first_sensible([("a", None), ("b", "0000-00-00"), ("c", NONSENSE[0]), ("d", SENSE[3])])
    assert found is not None
    assert (found.source, found.zone, found.milliseconds) == ("d", None, 946_684_799_000)
    assert first_sensible([("a", "never")]) is None
    zoned = first_sensible([("a", "2024-05-06T07:08:09.123+05:30")])
    assert zoned is not None
    assert (zoned.zone, zoned.milliseconds) == (19_800, 1_714_959_489_123)


def raw_exif(**tags: str) -> bytes:
    data = making.exif(1)
    details, gps = data.get_ifd(0x8769), data.get_ifd(0x8825)
    del details[0x9003], details[0x9011], details[0x9291]
    numbers = {"taken": 0x9003, "digitized": 0x9004}
    for name, value in tags.items():
        if name in numbers:
            details[numbers[name]] = value
        elif name == "changed":
            data[0x132] = value
        else:
            gps[0x1D], gps[7] = value, (7, 8, 9)
    return data.tobytes().removeprefix(b"Exif\0\0")


def test_order_in_a_photo() -> None:
    dates = {
        "taken": "2024:01:01 01:00:01",
        "digitized": "2024:01:02 01:00:01",
        "gps": "2024:01:03",
        "changed": "2024:01:05 01:00:01",
    }
    expected = ["exif_taken", "exif_digitized", "gps", "xmp", "exif_changed"]
    xmp: str | None = "2024-01-04T01:00:01"
    for source in expected:
        found = exif_moment(raw_exif(**dates), xmp)
        assert found is not None
        assert found.source == source
        if source == "gps":
            assert found.iso == "2024-01-03T07:08:09+00:00"
        if source == "xmp":
            xmp = "1970-01-01T00:00:00"
        elif source == "exif_digitized":
            dates["digitized"] = "0000:00:00 00:00:00"
        else:
            key = {"exif_taken": "taken", "gps": "gps", "exif_changed": "changed"}[source]
            dates[key] = "1980:01:01 00:00:00" if key != "gps" else "1824:01:01"
    assert exif_moment(raw_exif(**dates), xmp) is None
    assert exif_moment(b"no exif at all") is None


@pytest.mark.parametrize(
    ("key", "header", "captured", "source"),
    [
        (
            "2024-05-06T07:08:09+0200",
            "2024-05-06T05:08:10Z",
            "2024-05-06T07:08:09+02:00",
            "apple_key",
        ),
        ("1904-01-01T00:00:00Z", "2024-05-06T05:08:10Z", "2024-05-06T05:08:10", "container"),
        (None, "1970-01-01T00:00:00Z", None, None),
        (None, None, None, None),
    ],
)
def test_order_in_a_film(
    key: str | None, header: str | None, captured: str | None, source: str | None, tmp_path: Path
) -> None:
    tags = {"com.apple.quicktime.creationdate": key} if key else {}
    film = making.video(tmp_path / "a.mov", frames=3, tags=tags)
    stamp_creation(film, header)
    found = probe_file(film)
    assert (found["captured"] or "").startswith(captured or "")
    assert (found["captured"] is None, found["captured_from"]) == (captured is None, source)


async def test_many_files_in_one_child(tmp_path: Path, pool: MediaPool) -> None:
    good = making.full_jpeg(tmp_path / "a.jpg")
    cut = tmp_path / "b.jpg"
    cut.write_bytes(good.read_bytes()[:-300])
    film = making.video(tmp_path / "c.mov", frames=3)
    results = await pool.probe_many([good, cut, tmp_path / "gone.jpg", film])
    assert [getattr(one, "key", getattr(one, "kind", "")) for one in results] == [
        "photo", "broken_container", "file_vanished", "video",
    ]  # fmt: skip
    assert results[0] == await pool.probe(good)
