"""What is read of photos and films beside their dates."""

from pathlib import Path

import pytest
from PIL import Image, TiffImagePlugin

from custom_components.media_pipeline.engine.media.probe import probe_file

from . import making

rational = TiffImagePlugin.IFDRational


def photo(path: Path, details: dict[int, object] | None = None, **options: object) -> Path:
    data = making.exif(1)
    data.get_ifd(0x8769).update(details or {})
    return making.jpeg(path, 64, 48, exif=data, **options)


def test_camera_lens_and_height(tmp_path: Path) -> None:
    data = making.exif(8)
    data.get_ifd(0x8769)[0xA434] = "Lens 24mm f/1.8"
    data.get_ifd(0x8825).update({5: b"\1", 6: rational(12345, 1000)})
    found = probe_file(making.jpeg(tmp_path / "a.jpg", 64, 48, exif=data))
    assert (found["make"], found["model"], found["lens"]) == (
        "Maker",
        "Camera 1",
        "Lens 24mm f/1.8",
    )
    assert found["altitude"] == -12.345
    assert (found["width"], found["height"], found["orientation"]) == (48, 64, 8)


@pytest.mark.parametrize(
    ("details", "xmp", "subtype"),
    [
        ({0x9286: b"ASCII\0\0\0Screenshot"}, None, "screenshot"),
        (
            {},
            'xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:UserComment="Screenshot"',
            "screenshot",
        ),
        ({0xA401: 6}, None, "panorama"),
        ({0xA401: 8}, None, "portrait"),
        (
            {},
            'xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" GPano:ProjectionType="x"',
            "panorama",
        ),
        ({0x927C: making.apple_note(tag=0x0B)}, None, "burst"),
        ({0x927C: making.apple_note()}, None, "live"),
        ({}, None, None),
    ],
)
def test_subtypes(
    details: dict[int, object], xmp: str | None, subtype: str | None, tmp_path: Path
) -> None:
    options = {"xmp": making.packet(xmp)} if xmp else {}
    assert probe_file(photo(tmp_path / "a.jpg", details, **options))["subtype"] == subtype


def test_place_at_zero_is_none(tmp_path: Path) -> None:
    data = making.exif(1)
    zero = (rational(0), rational(0), rational(0))
    data.get_ifd(0x8825).update({2: zero, 4: zero, 6: rational(5)})
    found = probe_file(making.jpeg(tmp_path / "a.jpg", 64, 48, exif=data))
    assert (found["latitude"], found["longitude"], found["altitude"]) == (None, None, None)


def test_gain_map_and_bits(tmp_path: Path) -> None:
    gain = making.jpeg(tmp_path / "a.jpg", xmp=b'<rdf hdrgm:Version="1.0"/>')
    assert probe_file(gain)["hdr"] == "gain_map"
    Image.new("I;16", (8, 8)).save(tmp_path / "a.png")
    assert probe_file(tmp_path / "a.png")["bits"] == 16


def test_raw_that_pillow_does_not_know(tmp_path: Path) -> None:
    tiff = making.exif(1).tobytes().removeprefix(b"Exif\0\0")
    (tmp_path / "a.nef").write_bytes(tiff)
    found = probe_file(tmp_path / "a.nef")
    assert (found["codec"], found["make"], found["model"]) == ("raw", "Maker", "Camera 1")
    assert found["captured"] == "2024-05-06T07:08:09.123+02:00"


def test_film(tmp_path: Path) -> None:
    film = making.video(
        tmp_path / "a.mov",
        codec="libx265",
        pix_fmt="yuv420p10le",
        hlg=True,
        turned=True,
        tags={"com.apple.quicktime.location.ISO6709": "-33.8568+151.2153+012.345/"},
    )
    found = probe_file(film)
    assert (found["codec"], found["bits"], found["hdr"]) == ("hevc", 10, "hlg")
    assert (found["latitude"], found["longitude"], found["altitude"]) == (
        -33.8568,
        151.2153,
        12.345,
    )
    assert (found["width"], found["height"]) == (240, 320)
    fast = making.video(tmp_path / "b.mov", frames=60, times=[n * 5 for n in range(60)])
    assert probe_file(fast)["subtype"] == "slow_motion"


@making.needs_samples
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("IMG_4394.HEIC", {"hdr": "gain_map", "subtype": "live", "model": "iPhone 15 Pro"}),
        ("pug.heic", {"hdr": "gain_map", "subtype": "portrait", "model": "iPhone 13 Pro"}),
        ("IMG_2908.PNG", {"kind": "photo", "width": 1136, "height": 640, "hdr": None}),
        ("RGB_10__128x128.heif", {"bits": 10}),
        ("dolbyVision-hdr.MOV", {"hdr": "dolby_vision", "bits": 10}),
        ("hlg10-color-test.mp4", {"hdr": "hlg", "bits": 10}),
        ("IMG_4394.mov", {"subtype": "live", "captured_from": "apple_key", "hdr": None}),
    ],
)
def test_real_files(name: str, expected: dict[str, object]) -> None:
    found = probe_file(making.SAMPLES / name)
    assert {key: found[key] for key in expected} == expected
