"""AVIF files written around what SVT-AV1 coded: others read all of them."""

import io
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageCms, ImageStat

from custom_components.media_pipeline.engine.errors import BrokenContainer
from custom_components.media_pipeline.engine.media.avif import can_hold, encode_avif
from custom_components.media_pipeline.engine.media.container import check_container
from custom_components.media_pipeline.engine.media.encode import avif_crf
from custom_components.media_pipeline.engine.media.heif_items import HeifItems

from . import making

EXIF = Image.Exif()
EXIF[0x010F] = "Maker of cameras"
SAID = EXIF.tobytes().removeprefix(b"Exif\0\0")
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"></x:xmpmeta>'
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def picture(tmp_path: Path, size: tuple[int, int]) -> Image.Image:
    with Image.open(making.jpeg(tmp_path / "a.jpg", *size)) as image:
        image.load()
        return image


@pytest.mark.parametrize("size", [(64, 64), (642, 480), (480, 642), (66, 1030)])
def test_everything_is_read_back(tmp_path: Path, size: tuple[int, int]) -> None:
    image = picture(tmp_path, size)
    raw = encode_avif(image, crf=16, speed=10, profile=PROFILE, exif=SAID, xmp=XMP)
    with Image.open(io.BytesIO(raw)) as read:
        read.load()
        assert read.size == size
        assert read.info["icc_profile"] == PROFILE
        assert read.info["exif"].removeprefix(b"Exif\0\0") == SAID
        assert read.info["xmp"] == XMP
        difference = ImageChops.difference(read.convert("RGB"), image)
    # another matrix or range would be twice as far off
    assert max(ImageStat.Stat(difference).mean) < 6
    made = tmp_path / "made.avif"
    made.write_bytes(raw)
    assert check_container(made, ".avif") == "avif"
    assert HeifItems(raw).bytes_of(2) == bytes(4) + SAID
    made.write_bytes(raw[:-1])
    with pytest.raises(BrokenContainer):
        check_container(made, ".avif")


def test_a_picture_that_says_nothing(tmp_path: Path) -> None:
    raw = encode_avif(picture(tmp_path, (128, 96)), crf=16, speed=10)
    with Image.open(io.BytesIO(raw)) as read:
        read.load()
        assert not read.info.keys() & {"exif", "xmp", "icc_profile"}
    assert list(HeifItems(raw).types) == [1]


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
def test_exiftool_reads_it(tmp_path: Path) -> None:
    made = tmp_path / "made.avif"
    made.write_bytes(
        encode_avif(
            picture(tmp_path, (128, 96)), crf=16, speed=10, profile=PROFILE, exif=SAID, xmp=XMP
        )
    )
    command = ["exiftool", "-s3", "-Make", "-ImageSize", "-MajorBrand", "-ProfileClass", str(made)]
    said = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()
    assert said[0] == "Maker of cameras"
    assert said[1] == "128x96"
    assert "AVIF" in said[2]
    assert "Display" in said[3]


@pytest.mark.parametrize(
    ("mode", "size", "fits"),
    [
        ("RGB", (64, 64), True),
        ("RGB", (65, 64), False),
        ("RGB", (64, 65), False),
        ("RGB", (62, 640), False),
        ("RGB", (16_386, 64), False),
        ("L", (640, 480), False),
    ],
)
def test_what_it_can_hold(mode: str, size: tuple[int, int], fits: bool) -> None:
    assert can_hold(mode, size) is fits


def test_quality_is_a_crf() -> None:
    assert [avif_crf(quality) for quality in (90, 85, 75)] == [12, 16, 24]
    assert avif_crf(1) == 63
