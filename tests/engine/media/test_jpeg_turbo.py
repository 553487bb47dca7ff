"""A JPEG written again from its stored samples: what libjpeg-turbo gives is what Pillow sees."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image, ImageChops, ImageOps, ImageStat

from custom_components.media_pipeline.engine.media import jpeg_turbo
from custom_components.media_pipeline.engine.media.data import Data
from custom_components.media_pipeline.engine.media.jobs import (
    CompressJob,
    PhotoFormat,
    PhotoPreset,
    Reason,
)
from custom_components.media_pipeline.engine.media.jpeg import jpeg_layout
from custom_components.media_pipeline.engine.media.jpeg_turbo import StoredSamples, stored_samples
from custom_components.media_pipeline.engine.media.outcome import LeftAlone
from custom_components.media_pipeline.engine.media.photo import compress_photo
from custom_components.media_pipeline.engine.media.photo_glance import Glance
from custom_components.media_pipeline.engine.media.pool import MediaPool

pytestmark = pytest.mark.skipif(
    jpeg_turbo.libjpeg_turbo() is None, reason="no libturbojpeg: scripts/setup --all installs it"
)
SIZES = [(640, 480), (331, 257), (333, 16), (17, 300), (515, 514)]


def picture(size: tuple[int, int], seed: int = 7) -> Image.Image:
    bands = (Image.linear_gradient("L"), Image.radial_gradient("L"), Image.linear_gradient("L"))
    noise = Image.effect_noise((256, 256), seed)
    bands = (ImageChops.add(bands[0], noise, 1, -128), bands[1].rotate(seed), bands[2].rotate(90))
    return Image.merge("RGB", bands).resize(size)


def saved(image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **{"quality": 95, "subsampling": "4:2:0", **options})
    return file.getvalue()


def exif(orientation: int) -> Image.Exif:
    said = Image.Exif()
    said[0x112] = orientation
    return said


def without_jfif(raw: bytes) -> bytes:
    """Nothing says what the components are, except their numbers."""
    end = 4 + int.from_bytes(raw[4:6])
    assert raw[2:4] == b"\xff\xe0"
    return raw[:2] + raw[end:]


def samples(raw: bytes) -> StoredSamples | None:
    data = Data(io.BytesIO(raw))
    return stored_samples(data, jpeg_layout(data))


def found(raw: bytes) -> StoredSamples:
    one = samples(raw)
    assert one is not None
    return one


@pytest.mark.parametrize("size", [*SIZES, (2, 2)])
@pytest.mark.parametrize("progressive", [False, True])
def test_planes_are_what_pillow_sees(size: tuple[int, int], progressive: bool) -> None:
    raw = saved(picture(size), progressive=progressive)
    with Image.open(io.BytesIO(raw)) as image:
        image.draft("YCbCr", None)
        bands = image.split()
    stored = found(raw)
    assert stored.size == size
    for number, (plane, band) in enumerate(zip(stored.planes(), bands, strict=True)):
        part = 1 if number == 0 else 2
        wide, high = size[0] // part, size[1] // part  # samples that stand for so many pixels
        mine = Image.frombuffer("L", (wide, high), plane, "raw", "L", plane.shape[1], 1)
        seen = band.crop((0, 0, wide * part, high * part)).reduce(part)
        difference = ImageStat.Stat(ImageChops.difference(mine, seen)).mean[0]
        assert difference < (0.01 if number == 0 else 2)  # Pillow smooths colour


@pytest.mark.parametrize("size", SIZES)
def test_what_is_written_shows_the_same_picture(size: tuple[int, int]) -> None:
    source = saved(picture(size))
    written = found(source).as_jpeg(90)
    with Image.open(io.BytesIO(source)) as before, Image.open(io.BytesIO(written)) as after:
        assert after.info["progressive"]
        assert after.size == size
        worst = max(ImageStat.Stat(ImageChops.difference(before, after)).mean)
    assert worst < 3
    assert Glance.of_samples(found(source)).compared_with(Glance.of_samples(found(written))) > 0.95


def test_it_keeps_more_of_the_colour_than_pillow() -> None:
    source = saved(picture((640, 480)))
    stored = found(source)
    with Image.open(io.BytesIO(source)) as image:
        other = saved(image, quality=85, progressive=True, optimize=True)
    before = Glance.of_samples(stored)
    ours, pillows = (
        before.compared_with(Glance.of_samples(found(raw))) for raw in (stored.as_jpeg(85), other)
    )
    assert ours >= pillows


def test_another_picture_is_not_the_same() -> None:
    one = Glance.of_samples(found(saved(picture((640, 480)))))
    upside_down = picture((640, 480)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    with pytest.raises(LeftAlone, match="the picture differs"):
        one.compared_with(Glance.of_samples(found(saved(upside_down))))
    with pytest.raises(LeftAlone, match="size"):
        one.compared_with(Glance.of_samples(found(saved(picture((640, 482))))))
    grey = picture((640, 480)).convert("L").convert("RGB")  # as light as that one, without colour
    assert one.compared_with(Glance.of_samples(found(saved(grey)))) < 0.95


@pytest.mark.parametrize("size", [(640, 480), (640, 482), (332, 250), (330, 250)])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("limited", [False, True])
def test_frames_for_an_encoder(size: tuple[int, int], orientation: int, limited: bool) -> None:
    raw = saved(picture(size), exif=exif(orientation))
    frame: Any = found(raw).as_frame(orientation, limited=limited)
    with Image.open(io.BytesIO(raw)) as image:
        shown = ImageOps.exif_transpose(image)
    assert (frame.width, frame.height, frame.format.name) == (*shown.size, "yuv420p")
    values = ColorRange.MPEG if limited else ColorRange.JPEG
    assert (frame.color_range, frame.colorspace) == (values, Colorspace.ITU601)
    difference = ImageChops.difference(frame.to_image(), shown)
    assert max(ImageStat.Stat(difference).mean) < 3


def test_limited_values_are_no_shade_off() -> None:
    stored = found(saved(picture((160, 128))))
    frame: Any = stored.as_frame(limited=True)
    ranges = ((16, 219, 0), (128, 224, 128), (128, 224, 128))
    for plane, rows, (zero, span, middle) in zip(
        frame.planes, stored.planes(), ranges, strict=True
    ):
        made = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : rows.shape[1]]
        off = made - (zero + (rows.astype(float) - middle) * span / 255)
        assert np.abs(off).max() <= 0.5 + 1e-9
        assert abs(off.mean()) < 0.05


@pytest.mark.parametrize("bare", [False, True])
def test_what_nothing_but_its_numbers_names(bare: bool) -> None:
    raw = saved(picture((64, 64)))
    raw = without_jfif(raw) if bare else raw
    frame: Any = found(raw).as_frame()
    with Image.open(io.BytesIO(raw)) as image:
        difference = ImageChops.difference(frame.to_image(), image)
    assert max(ImageStat.Stat(difference).mean) < 6


@pytest.mark.parametrize(
    "raw",
    [
        saved(picture((64, 64))).replace(b"\xff\xc0\0\x11\x08", b"\xff\xc9\0\x11\x08"),
        saved(picture((64, 64))).replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"),
        # Adobe's mark says RGB
        saved(picture((64, 64)))[:2]
        + b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0"
        + without_jfif(saved(picture((64, 64))))[2:],
        saved(picture((64, 64)), subsampling="4:4:4"),
        saved(picture((64, 64)), subsampling="4:2:2"),
        saved(picture((64, 64)).convert("L")),
        saved(picture((64, 64)).convert("CMYK")),
        saved(picture((64, 64)), subsampling="4:4:4", keep_rgb=True),
        saved(picture((1, 64))),
    ],
    ids=[
        "arithmetic",
        "12 bit",
        "adobe's rgb",
        "444",
        "422",
        "grey",
        "cmyk",
        "rgb",
        "one pixel wide",
    ],
)
def test_what_is_stored_otherwise(raw: bytes) -> None:
    assert samples(raw) is None


def test_a_picture_that_ends_early_is_not_taken() -> None:
    raw = saved(picture((640, 480)))
    assert samples(raw[: len(raw) // 2] + b"\xff\xd9") is None
    assert samples(raw[: raw.index(b"\xff\xda") + 40] + b"\xff\xd9") is None


async def test_children_have_the_library(tmp_path: Path, pool: MediaPool) -> None:
    source, made = tmp_path / "source.jpg", tmp_path / "made.jpg"
    source.write_bytes(saved(picture((640, 480))))
    assert (await pool.compress(CompressJob(source, made, "photo"))).kept
    written = found(source.read_bytes()).as_jpeg(PhotoPreset().quality)
    assert made.read_bytes().endswith(written[jpeg_layout(Data(io.BytesIO(written))).frame.start :])


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("made", [PhotoFormat.JPEG, PhotoFormat.AVIF, PhotoFormat.WEBP])
def test_a_system_without_the_library(
    made: PhotoFormat, there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not there:
        nowhere = jpeg_turbo.TurboJPEG  # looked for where it is not
        monkeypatch.setattr(jpeg_turbo, "TurboJPEG", lambda: nowhere("/nowhere/libturbojpeg.so"))
    jpeg_turbo.libjpeg_turbo.cache_clear()
    try:
        assert (jpeg_turbo.libjpeg_turbo() is not None) is there
        source, smaller = tmp_path / "source.jpg", tmp_path / "smaller"
        source.write_bytes(saved(picture((640, 480)), exif=exif(6)))
        outcome = compress_photo(source, smaller, PhotoPreset(format=made))
        assert outcome.reason is Reason.COMPRESSED
        with Image.open(source) as before, Image.open(smaller) as after:
            shown, seen = (ImageOps.exif_transpose(one).convert("RGB") for one in (before, after))
        assert max(ImageStat.Stat(ImageChops.difference(shown, seen)).mean) < 3
    finally:
        jpeg_turbo.libjpeg_turbo.cache_clear()
