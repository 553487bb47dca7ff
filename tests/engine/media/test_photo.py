"""Smaller photos: what is kept in them, and which are left alone."""

import hashlib
import io
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from custom_components.media_pipeline.engine.errors import BrokenContainer, MediaUnreadable
from custom_components.media_pipeline.engine.media.jobs import (
    CompressJob,
    PhotoPreset,
    Reason,
)
from custom_components.media_pipeline.engine.media.photo import compress_photo
from custom_components.media_pipeline.engine.media.pool import MediaPool

from . import making


def run(source: Path, **preset: Any) -> Reason:
    before = hashlib.sha256(source.read_bytes()).digest()
    destination = source.with_name("out.jpg")
    outcome = compress_photo(source, destination, PhotoPreset(**preset))
    assert destination.exists() == outcome.kept
    assert hashlib.sha256(source.read_bytes()).digest() == before
    return outcome.reason


async def test_jpeg_keeps_what_it_says_about_itself(tmp_path: Path, pool: MediaPool) -> None:
    source = making.full_jpeg(tmp_path / "IMG_1.JPG")
    raw = source.read_bytes()
    os.utime(source, ns=(1_500_000_000_123_456_789, 1_400_000_000_123_456_789))
    out = tmp_path / "out"
    out.mkdir()
    result = await pool.compress(CompressJob(source, out / "IMG_1.JPG", "photo"))
    assert result.kept
    assert (result.reason, result.suffix, result.path) == ("compressed", ".JPG", out / "IMG_1.JPG")
    assert result.size == (out / "IMG_1.JPG").stat().st_size <= result.source_size * 0.9
    assert result.cpu_seconds > 0
    assert 10 << 20 < result.peak_rss < 1 << 30
    assert (out / "IMG_1.JPG").stat().st_mtime_ns == 1_400_000_000_123_456_789
    assert source.read_bytes() == raw
    assert [path.name for path in out.iterdir()] == ["IMG_1.JPG"]
    with Image.open(source) as before, Image.open(out / "IMG_1.JPG") as after:
        assert after.info["exif"] == before.info["exif"]
        assert after.info["icc_profile"] == making.ICC
        assert after.info["xmp"] == making.XMP
        assert after.size == before.size
        assert after.info.get("progressive")
        assert after.getexif()[0x112] == 6
    assert await pool.probe(source) == await pool.probe(out / "IMG_1.JPG")
    again = await pool.compress(CompressJob(out / "IMG_1.JPG", out / "twice.jpg", "photo"))
    assert (again.kept, again.reason) == (False, "already_compressed")


@making.needs_samples
@pytest.mark.parametrize("name", ["Apple_iPhone_4.jpg", "Apple_iPhone_6.jpg", "portrait_6.jpg"])
async def test_real_jpegs(name: str, tmp_path: Path, pool: MediaPool) -> None:
    source = making.SAMPLES / name
    result = await pool.compress(CompressJob(source, tmp_path / name, "photo"))
    assert result.kept
    assert result.size <= result.source_size * 0.9
    assert await pool.probe(tmp_path / name) == await pool.probe(source)
    with Image.open(source) as before, Image.open(tmp_path / name) as after:
        assert after.info.get("exif") == before.info.get("exif")


@making.needs_samples
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("IMG_2682.heic", "efficient_format"),
        ("IMG_4394.HEIC", "efficient_format"),
        ("RGB_10__128x128.heif", "efficient_format"),
        ("IMG_2908.PNG", "png"),
    ],
)
async def test_real_photos_left_alone(
    name: str, reason: str, tmp_path: Path, pool: MediaPool
) -> None:
    source = making.SAMPLES / name
    result = await pool.compress(CompressJob(source, tmp_path / "x.jpg", "photo"))
    assert (result.kept, result.reason, result.path) == (False, reason, None)
    assert (result.size, result.suffix) == (source.stat().st_size, source.suffix)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("kind", "mode", "reason"),
    [
        ("PNG", "RGB", Reason.PNG),
        ("GIF", "P", Reason.EFFICIENT_FORMAT),
        ("WEBP", "RGB", Reason.EFFICIENT_FORMAT),
        ("AVIF", "RGB", Reason.EFFICIENT_FORMAT),
        ("TIFF", "RGB", Reason.RAW),
        ("BMP", "RGB", Reason.UNSUPPORTED),
        ("JPEG", "CMYK", Reason.CMYK),
    ],
)
def test_kinds_left_alone(kind: str, mode: str, reason: Reason, tmp_path: Path) -> None:
    assert run(making.other(tmp_path / "file", kind, mode)) is reason


def test_heic_is_left_alone(tmp_path: Path) -> None:
    assert run(making.heic(tmp_path / "a.heic")) is Reason.EFFICIENT_FORMAT


def test_grey_jpeg(tmp_path: Path) -> None:
    assert run(making.jpeg(tmp_path / "a.jpg", mode="L")) is Reason.COMPRESSED


def test_jpeg_without_any_metadata_and_odd_size(tmp_path: Path) -> None:
    assert run(making.jpeg(tmp_path / "a.jpg", 333, 121)) is Reason.COMPRESSED


def test_too_many_pixels(tmp_path: Path) -> None:
    assert run(making.jpeg(tmp_path / "a.jpg"), max_pixels=1000) is Reason.TOO_MANY_PIXELS


def test_not_smaller(tmp_path: Path) -> None:
    source = making.jpeg(tmp_path / "a.jpg", quality=60, progressive=True)
    assert run(source) is Reason.NOT_SMALLER


def test_extras_are_not_lost(tmp_path: Path) -> None:
    plain = making.jpeg(tmp_path / "a.jpg")
    raw = plain.read_bytes()
    plain.write_bytes(raw + b"\0" * 99)
    assert run(plain) is Reason.COMPRESSED
    (tmp_path / "out.jpg").unlink()
    plain.write_bytes(raw + b"MotionPhoto_Data")
    assert run(plain) is Reason.JPEG_EXTRAS
    plain.write_bytes(raw + b"\0" * 200_000 + b"late")
    assert run(plain) is Reason.JPEG_EXTRAS
    gain = making.jpeg(tmp_path / "b.jpg", xmp=b'<rdf hdrgm:Version="1.0"/>')
    assert run(gain) is Reason.JPEG_EXTRAS
    motion = making.jpeg(tmp_path / "c.jpg", xmp=b'<rdf GCamera:MotionPhoto="1"/>')
    assert run(motion) is Reason.JPEG_EXTRAS
    two = tmp_path / "d.jpg"
    making.picture().save(two, "MPO", save_all=True, append_images=[making.picture()])
    assert run(two) is Reason.JPEG_EXTRAS
    signed = tmp_path / "e.jpg"
    signed.write_bytes(raw[:2] + b"\xff\xeb\0\x08JP\0\0xx" + raw[2:])
    assert run(signed) is Reason.JPEG_EXTRAS


def test_all_metadata_segments_survive_byte_for_byte(tmp_path: Path) -> None:
    """IPTC, long XMP and unknown segments, which no image library would carry over."""
    source = making.full_jpeg(tmp_path / "a.jpg")
    raw = source.read_bytes()
    extra = b"\xff\xed\0\x12Photoshop 3.0\0xx\xff\xe1\0\x28http://ns.adobe.com/xmp/extension/\0xyz"
    source.write_bytes(raw[:2] + extra + raw[2:])
    assert run(source) is Reason.COMPRESSED
    assert extra in (tmp_path / "out.jpg").read_bytes()
    assert b"a comment" in (tmp_path / "out.jpg").read_bytes()


def test_twelve_bits(tmp_path: Path) -> None:
    source = making.jpeg(tmp_path / "a.jpg")
    raw = bytearray(source.read_bytes())
    raw[raw.index(b"\xff\xc0") + 4] = 12
    source.write_bytes(raw)
    assert run(source) is Reason.HIGH_BIT_DEPTH


def test_cut_and_undecodable_jpegs(tmp_path: Path) -> None:
    source = making.jpeg(tmp_path / "a.jpg")
    raw = source.read_bytes()
    source.write_bytes(raw[:-500])
    with pytest.raises(BrokenContainer):
        run(source)
    table = raw.index(b"\xff\xc4")
    source.write_bytes(raw[: table + 5] + b"\xff" * 16 + raw[table + 21 :])
    with pytest.raises(MediaUnreadable):
        run(source)


def test_picture_is_the_same(tmp_path: Path) -> None:
    source = making.jpeg(tmp_path / "a.jpg")
    assert run(source) is Reason.COMPRESSED
    with (
        Image.open(source) as one,
        Image.open(io.BytesIO((tmp_path / "out.jpg").read_bytes())) as two,
    ):
        pairs = zip(one.convert("L").tobytes(), two.convert("L").tobytes(), strict=True)
        assert sum(abs(a - b) for a, b in pairs) / (one.width * one.height) < 4
