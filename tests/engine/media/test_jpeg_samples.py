"""The samples of a JPEG: those that Pillow sees, or none."""

import io
from typing import Any

import pytest
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image, ImageChops, ImageStat

from custom_components.media_pipeline.engine.media.data import Data
from custom_components.media_pipeline.engine.media.jpeg import jpeg_layout
from custom_components.media_pipeline.engine.media.jpeg_samples import jpeg_samples

SIZE = (330, 250)  # its rows are padded


def picture(mode: str = "RGB") -> Image.Image:
    bands = (Image.linear_gradient("L"), Image.radial_gradient("L"), Image.linear_gradient("L"))
    return Image.merge("RGB", bands).resize(SIZE).convert(mode)


def saved(mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    picture(mode).save(file, "JPEG", quality=90, **options)
    return file.getvalue()


def samples(raw: bytes) -> Any:
    data = Data(io.BytesIO(raw))
    return jpeg_samples(data, jpeg_layout(data))


def without_jfif(raw: bytes) -> bytes:
    """Nothing says what the components are, except their numbers."""
    end = 4 + int.from_bytes(raw[4:6])
    assert raw[2:4] == b"\xff\xe0"
    return raw[:2] + raw[end:]


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("bare", [False, True])
def test_the_same_as_pillow_sees(progressive: bool, bare: bool) -> None:
    raw = saved(subsampling="4:2:0", progressive=progressive)
    raw = without_jfif(raw) if bare else raw
    frame = samples(raw)
    assert (frame.width, frame.height, frame.format.name) == (*SIZE, "yuv420p")
    assert (frame.color_range, frame.colorspace) == (ColorRange.JPEG, Colorspace.ITU601)
    with Image.open(io.BytesIO(raw)) as image:
        image.draft("YCbCr", None)
        bands = image.split()
    for plane, band in zip(frame.planes, bands, strict=True):
        size = (plane.width, plane.height)
        mine = Image.frombuffer("L", size, bytes(plane), "raw", "L", plane.line_size, 1)
        difference = ImageChops.difference(mine, band.resize(size, Image.Resampling.BOX))
        assert ImageStat.Stat(difference).mean[0] < 0.5
        assert difference.getextrema()[1] <= 4  # type: ignore[operator]


@pytest.mark.parametrize(
    "raw",
    [
        saved(subsampling="4:4:4"),
        saved(subsampling="4:2:2"),
        saved("L"),
        saved("CMYK"),
        saved(keep_rgb=True),
        saved(subsampling="4:2:0").replace(b"\xff\xc0\0\x11\x08", b"\xff\xc9\0\x11\x08"),
        saved(subsampling="4:2:0").replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"),
        # Adobe's mark says RGB
        saved(subsampling="4:2:0")[:2]
        + b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0"
        + without_jfif(saved(subsampling="4:2:0"))[2:],
    ],
    ids=["444", "422", "grey", "cmyk", "rgb", "arithmetic", "12 bit", "adobe's rgb"],
)
def test_what_is_stored_otherwise(raw: bytes) -> None:
    assert samples(raw) is None


def test_one_that_this_decoder_does_not_take() -> None:
    raw = saved(subsampling="4:2:0")
    scan = raw.index(b"\xff\xda")
    assert samples(raw[: scan + 40] + b"\xff\xd9") is None
