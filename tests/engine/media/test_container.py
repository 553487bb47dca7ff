"""A file that is cut short is caught, a whole one never refused."""

import io
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.errors import (
    BrokenContainer,
    ErrorBody,
    FileVanished,
)
from custom_components.media_pipeline.engine.media.container import check_container, check_data
from custom_components.media_pipeline.engine.media.data import Data

from . import making

CUTS = 40
MANY_CUTS = 1000
MANY = frozenset({"jpeg", "heif", "mov", "mp4"})
"""The kinds that phones make."""
MAKERS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "jpeg": (".jpg", making.full_jpeg),
    "heif": (".heic", making.heic),
    "mov": (".mov", making.video),
    "mp4": (".mp4", lambda path: making.video(path, flags="faststart", sound="aac")),
    "png": (".png", lambda path: making.other(path, "PNG")),
    "gif": (".gif", lambda path: making.other(path, "GIF", "P")),
    "webp": (".webp", lambda path: making.other(path, "WEBP")),
    "avif": (".avif", lambda path: making.other(path, "AVIF")),
    "tiff": (".tif", lambda path: making.other(path, "TIFF")),
}
SAMPLE_KINDS = {
    "Apple_iPhone_4.jpg": "jpeg",
    "Apple_iPhone_6.jpg": "jpeg",
    "portrait_6.jpg": "jpeg",
    "IMG_2682.heic": "heif",
    "IMG_4394.HEIC": "heif",
    "pug.heic": "heif",
    "RGB_10__128x128.heif": "heif",
    "IMG_4394.mov": "mov",
    "ios9.mov": "mov",
    "with-gps.mov": "mov",
    "dolbyVision-hdr.MOV": "mov",
    "hlg10-color-test.mp4": "mp4",
    "IMG_2908.PNG": "png",
    "IMG_1853.AAE": "plist",
}


def check(raw: bytes, suffix: str = "") -> str:
    return check_data(Data(io.BytesIO(raw)), suffix)


def assert_cuts_are_caught(raw: bytes, suffix: str, count: int = CUTS) -> None:
    chance = random.Random(4711)
    lengths = {1, 2, 8, 12, len(raw) // 2, len(raw) - 9, len(raw) - 1}
    for length in lengths | {chance.randrange(1, len(raw)) for _ in range(count)}:
        with pytest.raises((BrokenContainer, ErrorBody)):  # a bit of XML looks like an error text
            print(length, check(raw[:length], suffix))


@pytest.mark.parametrize("kind", MAKERS)
def test_made_file_is_whole_and_its_cuts_are_caught(kind: str, tmp_path: Path) -> None:
    suffix, make = MAKERS[kind]
    path = make(tmp_path / f"file{suffix}")
    assert check_container(path) == kind
    assert check_container(path, suffix.upper()) == kind
    assert_cuts_are_caught(path.read_bytes(), suffix, MANY_CUTS if kind in MANY else CUTS)


@making.needs_samples
@pytest.mark.parametrize("name", SAMPLE_KINDS)
def test_sample_is_whole_and_its_cuts_are_caught(name: str) -> None:
    path = making.SAMPLES / name
    assert check_container(path, path.suffix) == SAMPLE_KINDS[name]
    raw = path.read_bytes()
    if name == "ios9.mov":  # two stray bytes at its end may be lost
        raw = raw[:-2]
    raw = raw.rstrip(b"\n") if path.suffix == ".AAE" else raw
    many = MANY_CUTS if SAMPLE_KINDS[name] in MANY else CUTS
    assert_cuts_are_caught(raw, path.suffix.lower(), many)


@making.needs_samples
@pytest.mark.parametrize("name", ["broken.mp4", "corrupted.heic", "truncated.heic", "empty.heic"])
def test_broken_samples_are_refused(name: str) -> None:
    with pytest.raises(BrokenContainer):
        check_container(making.SAMPLES / name)


def test_name_does_not_matter(tmp_path: Path) -> None:
    path = making.jpeg(tmp_path / "photo.heic")
    assert check_container(path, ".heic") == "jpeg"


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileVanished):
        check_container(tmp_path / "gone.jpg")


@pytest.mark.parametrize(
    "text",
    [
        b'{"error": "expired"}',
        b'  \r\n{ "reason":1}',
        b"\xef\xbb\xbf<!DOCTYPE html><html></html>",
        b"<html><body>502</body></html>",
        b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
        b"[]",
        b'[{"a": 1}]',
    ],
)
def test_error_texts(text: bytes) -> None:
    with pytest.raises(ErrorBody):
        check(text, ".jpg")
    with pytest.raises(ErrorBody):
        check(text)


def test_texts_that_are_wanted() -> None:
    assert check(b'{"error": 1}', ".json") == "unknown"
    assert check(b"<?xml version='1.0'?><x:xmpmeta/>", ".xmp") == "unknown"


@pytest.mark.parametrize("suffix", [".heic", ".jpg", ".mov", ".mp4", ".png", ".aae"])
def test_unknown_content_behind_a_known_name(suffix: str) -> None:
    assert check(b"something else entirely") == "unknown"
    with pytest.raises(BrokenContainer):
        check(b"something else entirely", suffix)


def test_large_film_is_fast_and_missing_chunk_is_found(tmp_path: Path) -> None:
    """A sparse file of 2 GB: the media data comes before the index and is sought over."""
    raw = making.video(tmp_path / "small.mov").read_bytes()
    size = 2 << 30
    path = tmp_path / "large.mov"
    with path.open("wb") as file:
        file.write((8).to_bytes(4, "big") + b"wide" + (size).to_bytes(4, "big") + b"mdat")
        file.seek(8 + size)
        file.write(raw[raw.index(b"moov") - 4 :])
    assert check_container(path, ".mov") == "mov"
    raw = making.video(tmp_path / "first.mp4", flags="faststart").read_bytes()
    with pytest.raises(BrokenContainer, match="beyond the end"):
        check(raw[: raw.index(b"mdat") - 4])


def test_data_after_a_jpeg_is_allowed_but_a_cut_second_picture_is_not(tmp_path: Path) -> None:
    raw = making.jpeg(tmp_path / "a.jpg").read_bytes()
    assert check(raw + b"trailer of a motion photo") == "jpeg"
    two = tmp_path / "two.jpg"
    making.picture().save(two, "MPO", save_all=True, append_images=[making.picture()])
    assert check(two.read_bytes()) == "jpeg"
    with pytest.raises(BrokenContainer, match="further picture"):
        check(two.read_bytes()[:-100])


def test_png_with_a_wrong_checksum(tmp_path: Path) -> None:
    raw = bytearray(making.other(tmp_path / "a.png", "PNG").read_bytes())
    raw[len(raw) // 2] ^= 1
    with pytest.raises(BrokenContainer, match="checksum"):
        check(bytes(raw))


def test_hostile_boxes_cost_no_time() -> None:
    nested = b""
    for _ in range(3000):
        nested = (len(nested) + 8).to_bytes(4, "big") + b"trak" + nested
    with pytest.raises(BrokenContainer, match="nested"):
        check((len(nested) + 8).to_bytes(4, "big") + b"moov" + nested)
    items = b"\0\0\0\0\xff\xff" * 3000
    iloc = b"\0\0\0\0\0\0" + (3000).to_bytes(2, "big") + items
    meta = b"\0\0\0\0" + (len(iloc) + 8).to_bytes(4, "big") + b"iloc" + iloc
    raw = b"\0\0\0\x10ftypheic\0\0\0\0" + (len(meta) + 8).to_bytes(4, "big") + b"meta" + meta
    assert check(raw) == "heif"
    with pytest.raises(BrokenContainer, match="more than"):
        check(b"\0\0\0\x08free" * 300_000)


def test_random_bytes_raise_nothing_else() -> None:
    """Whatever comes in, the answer is a name or one of two errors."""
    chance = random.Random(11)
    heads = [b"\xff\xd8", b"\0\0\0\x18ftypheic", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF", b"II*\0",
             b"MM\0*", b"bplist00", b"\0\0\0\x08wide", b"<?xml <plist"]  # fmt: skip
    for round_ in range(2000):
        raw = heads[round_ % len(heads)] + chance.randbytes(chance.randrange(200))
        try:
            assert check(raw)
        except BrokenContainer, ErrorBody:
            continue


def test_random_damage_of_real_files_raises_nothing_else(tmp_path: Path) -> None:
    chance = random.Random(12)
    for suffix, make in MAKERS.values():
        raw = make(tmp_path / f"file{suffix}").read_bytes()
        for _ in range(60):
            broken = bytearray(raw)
            for _ in range(8):
                broken[chance.randrange(min(len(broken), 1500))] = chance.randrange(256)
            try:
                assert check(bytes(broken))
            except BrokenContainer, ErrorBody:
                continue
