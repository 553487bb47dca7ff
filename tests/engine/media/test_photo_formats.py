"""Every format a photo can be written in: what was in it before is in it after."""

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageOps, ImageStat

from custom_components.media_pipeline.engine.errors import MediaWorkerMemory
from custom_components.media_pipeline.engine.media.encode import avif_speed
from custom_components.media_pipeline.engine.media.jobs import (
    Captions,
    CompressJob,
    PhotoFormat,
    PhotoPreset,
    Reason,
)
from custom_components.media_pipeline.engine.media.photo import compress_photo
from custom_components.media_pipeline.engine.media.pool import MediaPool

from . import making, reading

FORMATS = list(PhotoFormat)
UPRIGHT = {PhotoFormat.AVIF, PhotoFormat.HEIC}
# entries that tell how the picture lies and where the directories are, not what was photographed
OF_THE_FILE = {"main/112", "main/8769", "main/8825", "8769/a002", "8769/a003"}


def source_of(path: Path) -> Path:
    return making.jpeg(
        path,
        quality=98,
        exif=making.exif(6, making.CONTENT_ID),
        icc_profile=making.ICC,
        xmp=making.XMP,
    )


def make(source: Path, made: PhotoFormat, captions: Captions | None = None, **preset: Any) -> Path:
    out = source.with_name("out" + made.suffix)
    outcome = compress_photo(source, out, PhotoPreset(format=made, **preset), captions=captions)
    assert outcome.kept, outcome
    return out


def reason(source: Path, made: PhotoFormat, captions: Captions | None = None) -> Reason:
    out = source.with_name("never" + made.suffix)
    outcome = compress_photo(source, out, PhotoPreset(format=made), captions=captions)
    assert not out.exists()
    return outcome.reason


def apple(found: dict[str, Any]) -> list[Any]:
    """What is in Apple's maker note; exiftool's names for it changed over time."""
    return [value for key, value in found.items() if key.startswith("Apple:")]


@pytest.mark.parametrize("made", FORMATS)
async def test_metadata_before_and_after(
    made: PhotoFormat, tmp_path: Path, pool: MediaPool
) -> None:
    source = source_of(tmp_path / "a.jpg")
    job = CompressJob(source, tmp_path / "b.jpg", "photo", preset=PhotoPreset(format=made))
    result = await pool.compress(job)
    assert result.kept
    assert result.path is not None
    assert result.path.suffix == result.suffix == made.suffix
    before, after = reading.tags(source), reading.tags(result.path)
    assert len(before) > 10
    for key in before.keys() - OF_THE_FILE:
        assert after[key] == before[key], key
    with Image.open(source) as one, Image.open(result.path) as two:
        assert two.info["icc_profile"] == making.ICC
        assert two.info["xmp"] == making.XMP
        upright = ImageOps.exif_transpose(one).convert("L")
        difference = ImageChops.difference(upright, ImageOps.exif_transpose(two).convert("L"))
        assert ImageStat.Stat(difference).mean[0] < (0.1 if made is made.JPEG_LOSSLESS else 8)
    first, second = await pool.probe(source), await pool.probe(result.path)
    for name in ("captured", "latitude", "longitude", "content_id", "make", "model", "width"):
        assert getattr(first, name) == getattr(second, name), name
    assert first.content_id == making.CONTENT_ID


@reading.needs_exiftool
@pytest.mark.parametrize("made", FORMATS)
def test_exiftool_reads_the_same(made: PhotoFormat, tmp_path: Path) -> None:
    source = source_of(tmp_path / "a.jpg")
    before, after = reading.said(source), reading.said(make(source, made))
    wanted = {
        key: value
        for key, value in before.items()
        if key.startswith(("IFD0", "ExifIFD", "GPS", "Apple", "XMP")) and "Orientation" not in key
    }
    assert making.CONTENT_ID in apple(before)
    assert wanted["ExifIFD:DateTimeOriginal"] == "2024:05:06 07:08:09"
    assert "GPS:GPSLatitude" in wanted
    assert {key: after.get(key) for key in wanted} == wanted


@making.needs_samples
@reading.needs_exiftool
@pytest.mark.parametrize("made", FORMATS)
@pytest.mark.parametrize("name", ["Apple_iPhone_4.jpg", "portrait_6.jpg"])
def test_real_photos_say_the_same(name: str, made: PhotoFormat, tmp_path: Path) -> None:
    source = tmp_path / name
    source.write_bytes((making.SAMPLES / name).read_bytes())
    before, after = reading.said(source), reading.said(make(source, made))
    if made in UPRIGHT:
        before = {key: value for key, value in before.items() if not key.endswith("Orientation")}
        before |= {k: after[k] for k in before if k.endswith(("ExifImageWidth", "ExifImageHeight"))}
    for key in before.keys() - {"Photoshop:PhotoshopThumbnail"}:
        assert after.get(key) == before[key], key


def test_lossless_is_the_same_picture(tmp_path: Path) -> None:
    source = source_of(tmp_path / "a.jpg")
    out = make(source, PhotoFormat.JPEG_LOSSLESS)
    with Image.open(source) as one, Image.open(out) as two:
        assert one.tobytes() == two.tobytes()
    assert out.stat().st_size < source.stat().st_size


def test_lossless_means_every_pixel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A packer that changes a pixel is noticed, however little can be seen of it."""

    def careless(raw: bytes, **_: object) -> bytes:
        buffer = io.BytesIO()
        Image.open(io.BytesIO(raw)).save(buffer, "JPEG", quality=95)
        return buffer.getvalue()

    monkeypatch.setattr("mozjpeg_lossless_optimization.optimize", careless)
    assert reason(source_of(tmp_path / "a.jpg"), PhotoFormat.JPEG_LOSSLESS) is Reason.VERIFY_FAILED


def test_lossless_pays_below_the_configured_saving(tmp_path: Path) -> None:
    source = making.jpeg(tmp_path / "a.jpg", quality=90, optimize=True)
    out = make(source, PhotoFormat.JPEG_LOSSLESS)
    saved = 1 - out.stat().st_size / source.stat().st_size
    assert 0.02 <= saved < 0.10


@pytest.mark.parametrize("made", FORMATS[:1] + FORMATS[2:])
def test_resize_cap(made: PhotoFormat, tmp_path: Path) -> None:
    data = making.exif(6)
    data.get_ifd(0x8769)[0xA002], data.get_ifd(0x8769)[0xA003] = 640, 480
    source = making.jpeg(tmp_path / "a.jpg", exif=data)
    with Image.open(make(source, made, cap_pixels=100_000)) as image:
        width, height = image.size
        assert width * height <= 100_000
        assert max(image.size) / min(image.size) == pytest.approx(4 / 3, rel=0.01)
        details = image.getexif().get_ifd(0x8769)
        assert (details[0xA002], details[0xA003]) == image.size
        assert details[0x9003] == "2024:05:06 07:08:09"
    with Image.open(make(source, made, cap_pixels=640 * 480)) as image:
        assert sorted(image.size) == [480, 640]


def long_exif(path: Path) -> tuple[Path, bytes]:
    """A JPEG whose EXIF data needs three segments, as some phones write it."""
    note = bytes(range(256)) * 600
    data = making.exif(1)
    data.get_ifd(0x8769)[0x927C] = b"Maker" + note
    raw = data.tobytes().removeprefix(b"Exif\0\0")
    plain = making.jpeg(path, quality=99).read_bytes()
    parts = [raw[at : at + 65_000] for at in range(0, len(raw), 65_000)]
    segments = b"".join(
        b"\xff\xe1" + (len(part) + 8).to_bytes(2, "big") + b"Exif\0\0" + part for part in parts
    )
    path.write_bytes(plain[:20] + segments + plain[20:])
    return path, note


@pytest.mark.parametrize("made", FORMATS)
def test_exif_over_64_kilobytes(made: PhotoFormat, tmp_path: Path) -> None:
    source, note = long_exif(tmp_path / "a.jpg")
    out = make(source, made)
    with Image.open(out) as image:
        assert note in bytes(image.getexif().get_ifd(0x8769)[0x927C])
        assert image.getexif().get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"


def extended_xmp(path: Path) -> Path:
    guid = "0123456789ABCDEF0123456789ABCDEF"
    more = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        f'xmlns:my="urn:mine" my:long="{"x" * 90_000}"/></rdf:RDF></x:xmpmeta>'
    ).encode()
    main = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmlns:my="urn:mine" my:short="yes" '
        f'xmpNote:HasExtendedXMP="{guid}"/></rdf:RDF></x:xmpmeta>'
    ).encode()
    raw = making.jpeg(path, quality=99, xmp=main).read_bytes()
    segments = b""
    for at in range(0, len(more), 60_000):
        body = b"http://ns.adobe.com/xmp/extension/\0" + guid.encode()
        body += len(more).to_bytes(4, "big") + at.to_bytes(4, "big") + more[at : at + 60_000]
        segments += b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body
    path.write_bytes(raw[:20] + segments + raw[20:])
    return path


@pytest.mark.parametrize("made", FORMATS)
def test_extended_xmp(made: PhotoFormat, tmp_path: Path) -> None:
    source = extended_xmp(tmp_path / "a.jpg")
    raw = make(source, made).read_bytes()
    assert b'short="yes"' in raw
    assert b"x" * 20_000 in raw
    assert (b"HasExtendedXMP" in raw) == (made.suffix == ".jpg")


def test_other_formats_leave_alone_what_they_would_lose(tmp_path: Path) -> None:
    source = making.full_jpeg(tmp_path / "a.jpg")  # with a comment
    assert reason(source, PhotoFormat.AVIF) is Reason.METADATA
    raw = making.jpeg(tmp_path / "b.jpg").read_bytes()
    iptc = b"\xff\xed\0\x12Photoshop 3.0\0xx"
    (tmp_path / "b.jpg").write_bytes(raw[:20] + iptc + raw[20:])
    assert reason(tmp_path / "b.jpg", PhotoFormat.WEBP) is Reason.METADATA
    assert iptc in make(tmp_path / "b.jpg", PhotoFormat.JPEG).read_bytes()
    assert iptc in make(tmp_path / "b.jpg", PhotoFormat.JPEG_LOSSLESS).read_bytes()


CAPTIONS = Captions(
    title="Häuser & <Boote>",
    description="Am Kai\nzweite\x00\x0b Zeile",
    keywords=("Urlaub", "海"),
    favorite=True,
    captured="1999-12-31T23:59:58+01:00",
)


@reading.needs_exiftool
@pytest.mark.parametrize("made", FORMATS)
def test_captions(made: PhotoFormat, tmp_path: Path) -> None:
    packet = making.packet(
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:my="urn:mine" my:own="kept"',
        "<dc:subject><rdf:Bag><rdf:li>before</rdf:li></rdf:Bag></dc:subject>",
    )
    source = making.jpeg(tmp_path / "a.jpg", quality=98, exif=making.exif(6), xmp=packet)
    out = make(source, made, CAPTIONS)
    found = reading.exiftool(out)
    assert found["XMP-dc:Title"] == CAPTIONS.title
    assert found["XMP-dc:Description"] == "Am Kai\nzweite Zeile"
    assert found["XMP-dc:Subject"] == ["before", "Urlaub", "海"]
    assert found["XMP-xmp:Rating"] == 5
    assert b'own="kept"' in out.read_bytes()
    assert found["ExifIFD:DateTimeOriginal"] == "2024:05:06 07:08:09"  # the photo knows better


@reading.needs_exiftool
@pytest.mark.parametrize("date", [None, "0000:00:00 00:00:00", "1970:01:01 01:00:00"])
def test_a_missing_date_is_written(date: str | None, tmp_path: Path) -> None:
    data = making.exif(1, making.CONTENT_ID)
    details = data.get_ifd(0x8769)
    del details[0x9003], details[0x9011], details[0x9291]
    if date:
        details[0x9003] = date
    source = making.jpeg(tmp_path / "a.jpg", exif=data)
    found = reading.exiftool(make(source, PhotoFormat.JPEG, CAPTIONS))
    assert found["ExifIFD:DateTimeOriginal"] == "1999:12:31 23:59:58"
    assert found["ExifIFD:OffsetTimeOriginal"] == "+01:00"
    assert making.CONTENT_ID in apple(found)
    bare = making.jpeg(tmp_path / "b.jpg")
    found = reading.exiftool(make(bare, PhotoFormat.JPEG, CAPTIONS))
    assert found["ExifIFD:DateTimeOriginal"] == "1999:12:31 23:59:58"
    assert "Warning" not in "".join(found)


def test_captions_never_cost_an_unreadable_packet(tmp_path: Path) -> None:
    source = making.jpeg(tmp_path / "a.jpg", xmp=b"<x:xmpmeta <<")
    assert reason(source, PhotoFormat.JPEG, CAPTIONS) is Reason.METADATA
    source = making.jpeg(tmp_path / "a.jpg", xmp=b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>')
    assert reason(source, PhotoFormat.JPEG, CAPTIONS) is Reason.METADATA


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_shown_the_same(orientation: int, tmp_path: Path) -> None:
    source = making.jpeg(
        tmp_path / "a.jpg", 320, 240, quality=99, subsampling=0, exif=making.exif(orientation)
    )
    for made in FORMATS:
        with Image.open(source) as one, Image.open(make(source, made)) as two:
            shown = [
                ImageOps.exif_transpose(image).convert("L").resize((32, 32)) for image in (one, two)
            ]
            assert ImageStat.Stat(ImageChops.difference(*shown)).mean[0] < 4, made


def test_avif_speed_fits_the_machine() -> None:
    assert avif_speed(2, 1 << 30) == avif_speed(4, 1 << 30) == 10
    assert avif_speed(4, 8 << 30) == avif_speed(4, None) == 8
    assert avif_speed(16, 32 << 30) == 6


def test_gain_map_of_the_iso_standard(tmp_path: Path) -> None:
    raw = making.jpeg(tmp_path / "a.jpg").read_bytes()
    body = b"urn:iso:std:iso:ts:21496:-1\0\0\0\0\0"
    mark = b"\xff\xe2" + (len(body) + 2).to_bytes(2, "big") + body
    (tmp_path / "a.jpg").write_bytes(raw[:20] + mark + raw[20:])
    assert reason(tmp_path / "a.jpg", PhotoFormat.JPEG) is Reason.JPEG_EXTRAS


def test_not_enough_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "custom_components.media_pipeline.engine.media.encode.memory_available", lambda: 61 << 20
    )
    with pytest.raises(MediaWorkerMemory):
        reason(making.jpeg(tmp_path / "a.jpg"), PhotoFormat.AVIF)


def test_marks_are_ours(tmp_path: Path) -> None:
    source = source_of(tmp_path / "a.jpg")
    for made in (PhotoFormat.JPEG, PhotoFormat.JPEG_LOSSLESS):
        out = make(source, made)
        assert (
            Image.open(io.BytesIO(out.read_bytes())).info["comment"].startswith(b"media_pipeline")
        )
        assert reason(out, PhotoFormat.JPEG) is Reason.ALREADY_COMPRESSED
