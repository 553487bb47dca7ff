"""Share copies: the picture and its date, and nothing that tells where or who."""

from pathlib import Path

import av
import pillow_heif
import pytest
from PIL import Image

from custom_components.media_pipeline.engine.media.container import check_container
from custom_components.media_pipeline.engine.media.jobs import DeriveJob, PhotoPreset, Reason
from custom_components.media_pipeline.engine.media.pool import MediaPool
from custom_components.media_pipeline.engine.media.share import make_share_copy
from custom_components.media_pipeline.engine.media.stamp import stamp_creation

from . import making, reading

SECRET = b"urn:uuid:somebody"
TAGS = {
    "com.apple.quicktime.location.ISO6709": "+52.5200+013.4050+034.000/",
    "com.apple.quicktime.content.identifier": making.CONTENT_ID,
    "com.apple.quicktime.creationdate": "2024-05-06T07:08:09+0200",
    "com.apple.quicktime.make": "Maker",
    "location": "+52.5200+013.4050/",
    "title": "urn:uuid:somebody",
}


def source(folder: Path, kind: str) -> Path:
    pillow_heif.register_heif_opener()
    path = folder / f"a.{kind.lower()}"
    data = making.exif(6, making.CONTENT_ID)
    data[0x10E] = data[0x13B] = SECRET.decode()  # description, artist
    data.get_ifd(0x8769)[0xA431] = SECRET.decode()  # serial number
    making.picture(mode="RGB").save(
        path,
        kind,
        exif=data,
        icc_profile=making.ICC,
        xmp=making.packet(f'xmlns:a="{SECRET.decode()}"'),
    )
    return path


@pytest.mark.parametrize("kind", ["JPEG", "HEIF", "WEBP", "AVIF"])
async def test_photo_without_a_place(kind: str, tmp_path: Path, pool: MediaPool) -> None:
    photo = source(tmp_path, kind)
    job = DeriveJob("share", photo, tmp_path / "out.jpg", preset=PhotoPreset(cap_pixels=50_000))
    result = await pool.derive(job)
    assert result.kept
    out = tmp_path / "out.jpg"
    raw = out.read_bytes()
    assert SECRET not in raw
    assert making.CONTENT_ID.encode() not in raw
    with Image.open(out) as image:
        found = image.getexif()
        assert image.format == "JPEG"
        assert image.width * image.height <= 50_000
        # turned upright; pillow_heif already did that when it wrote the source
        assert (image.height > image.width) == (kind != "HEIF")
        assert image.info["icc_profile"] == making.ICC
        assert not found.get_ifd(0x8825)
        assert set(found) <= {0x10F, 0x110, 0x8769}
        assert found.get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"
        assert found.get_ifd(0x8769)[0x9011] == "+02:00"
    probed = await pool.probe(out)
    assert (probed.latitude, probed.longitude, probed.content_id) == (None, None, None)


@reading.needs_exiftool
async def test_film_without_a_place(tmp_path: Path, pool: MediaPool) -> None:
    film = making.video(tmp_path / "a.mov", tags=TAGS, sound="aac", turned=True)
    stamp_creation(film, "2024-05-06T05:08:09Z")
    assert "GPS" in "".join(reading.exiftool(film))
    assert (await pool.derive(DeriveJob("share", film, tmp_path / "out.mp4"))).kept
    found = reading.exiftool(tmp_path / "out.mp4")
    assert not [key for key in found if "GPS" in key or "Location" in key]
    assert found["QuickTime:CreateDate"] == "2024:05:06 05:08:09"
    assert found["Composite:Rotation"] == reading.exiftool(film)["Composite:Rotation"]
    raw = (tmp_path / "out.mp4").read_bytes()
    for secret in (b"+52.5", SECRET, making.CONTENT_ID.encode(), b"Maker"):
        assert secret not in raw


@making.needs_samples
@pytest.mark.parametrize("name", ["IMG_4394.HEIC", "IMG_4394.mov", "with-gps.mov", "ios9.mov"])
def test_real_files(name: str, tmp_path: Path) -> None:
    out = tmp_path / ("a.jpg" if name.endswith("HEIC") else "a.mp4")
    assert make_share_copy(making.SAMPLES / name, out, PhotoPreset()).kept
    raw = out.read_bytes()
    assert b"Apple iOS" not in raw
    assert b"com.apple.quicktime.location" not in raw
    if reading.EXIFTOOL:
        assert not [key for key in reading.exiftool(out) if "GPS" in key or "Location" in key]


def test_see_through_becomes_white(tmp_path: Path) -> None:
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save(tmp_path / "a.png")
    assert make_share_copy(tmp_path / "a.png", tmp_path / "a.jpg", PhotoPreset()).kept
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.getpixel((30, 30)) == (255, 255, 255)


def test_what_can_not_be_shared(tmp_path: Path) -> None:
    Image.new("I;16", (64, 64)).save(tmp_path / "a.png")
    outcome = make_share_copy(tmp_path / "a.png", tmp_path / "a.jpg", PhotoPreset())
    assert outcome.reason is Reason.UNSUPPORTED
    photo = making.jpeg(tmp_path / "b.jpg")
    outcome = make_share_copy(photo, tmp_path / "a.jpg", PhotoPreset(max_pixels=10))
    assert outcome.reason is Reason.TOO_MANY_PIXELS
    old = making.video(tmp_path / "b.mov", codec="mjpeg", pix_fmt="yuvj420p")
    assert make_share_copy(old, tmp_path / "a.mp4", PhotoPreset()).reason is Reason.NOT_REMUXED
    assert not list(tmp_path.glob("a.jpg")) + list(tmp_path.glob("a.mp4"))


async def test_photo_is_compared_with_its_source(tmp_path: Path, pool: MediaPool) -> None:
    photo, out = source(tmp_path, "JPEG"), tmp_path / "out.jpg"
    result = await pool.derive(DeriveJob("share", photo, out, preset=PhotoPreset(floor=0.9)))
    assert result.kept
    assert result.quality is not None
    assert 0.9 < result.quality < 1.0


def test_photo_too_unlike_its_source_is_made_better(tmp_path: Path) -> None:
    photo, low, better = source(tmp_path, "JPEG"), tmp_path / "low.jpg", tmp_path / "better.jpg"
    poor = make_share_copy(photo, low, PhotoPreset(quality=5))
    assert poor.quality is not None
    again = make_share_copy(photo, better, PhotoPreset(quality=5, floor=poor.quality + 0.01))
    assert again.kept
    assert again.quality is not None
    assert again.quality > poor.quality + 0.01
    assert better.stat().st_size > low.stat().st_size


def test_photo_that_stays_unlike_its_source_is_no_copy(tmp_path: Path) -> None:
    photo, out = source(tmp_path, "JPEG"), tmp_path / "out.jpg"
    result = make_share_copy(photo, out, PhotoPreset(floor=1.0))
    assert result.reason is Reason.QUALITY_BELOW_FLOOR
    assert result.quality is not None
    assert not out.exists()


@pytest.mark.parametrize(
    ("ending", "codec"), [(".mkv", "libx264"), (".ts", "libx264"), (".ts", "libx265")]
)
async def test_film_in_another_box_comes_as_mp4(
    ending: str, codec: str, tmp_path: Path, pool: MediaPool
) -> None:
    film = making.video(tmp_path / f"a{ending}", codec=codec, sound="aac", flags="")
    out = tmp_path / "out.mp4"
    result = await pool.derive(DeriveJob("share", film, out))
    assert result.kept
    assert check_container(out) == "mp4"
    with av.open(str(film)) as one, av.open(str(out)) as two:
        pairs = zip(one.decode(video=0), two.decode(video=0), strict=True)
        assert all((a.to_ndarray() == b.to_ndarray()).all() for a, b in pairs)
    with av.open(str(out)) as two:
        assert two.streams.audio[0].codec_context.name == "aac"
        assert two.streams.video[0].codec_context.codec_tag == (
            "hvc1" if codec == "libx265" else "avc1"
        )


def test_film_that_phones_do_not_play_is_no_copy(tmp_path: Path) -> None:
    film = making.video(tmp_path / "a.webm", codec="libvpx-vp9", flags="")
    result = make_share_copy(film, tmp_path / "out.mp4", PhotoPreset())
    assert result.reason is Reason.NOT_REMUXED
    assert not (tmp_path / "out.mp4").exists()
