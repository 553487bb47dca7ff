"""What is compressed: made photos and films, and the real ones of a folder when there is one."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
from PIL import Image, ImageChops

_PHOTO: Final = (4032, 3024)
_FILM: Final = (1920, 1080)
_RATE: Final = 30
_LIGHT: Final = 96
_COLOUR: Final = 24


def made_photo(width: int, height: int) -> Image.Image:
    """Detail of all sizes, the finer the weaker, as in photos; colour is coarser than light."""
    planes = [_octaves(width, height, *one) for one in ((2, _LIGHT), (16, _COLOUR), (16, _COLOUR))]
    return Image.merge("YCbCr", planes).convert("RGB")


def _octaves(width: int, height: int, finest: int, sigma: int) -> Image.Image:
    plane = Image.new("L", (width, height), 128)
    step, weight = 512, 1.0
    while step >= finest:
        size = (width // step + 2, height // step + 2)
        noise = Image.effect_noise(size, sigma * weight).resize(
            (width, height), Image.Resampling.BICUBIC
        )
        plane = ImageChops.add(plane, noise, 1.0, -128)
        step, weight = step // 2, weight * 0.6
    return plane


def photos(folder: Path, count: int, samples: Path | None) -> list[Path]:
    """``count`` made JPEGs of 12 megapixels in ``folder``, and the JPEGs among the samples."""
    found = []
    for number in range(count):
        path = folder / f"made_{number:03}.jpg"
        made_photo(*_PHOTO).save(path, "JPEG", quality=95, subsampling="4:2:0")
        found.append(path)
    return found + _copied(folder, samples, (".jpg", ".jpeg"))


def films(folder: Path, count: int, seconds: float, samples: Path | None) -> list[Path]:
    """``count`` made films in 1080p with a hand's tremor and a sensor's noise, and the samples."""
    found = []
    for number in range(count):
        path = folder / f"made_{number:03}.mp4"
        _film(path, int(seconds * _RATE))
        found.append(path)
    return found + _copied(folder, samples, (".mov", ".mp4"))


def _film(path: Path, frames: int) -> None:
    options = {"crf": "16", "preset": "ultrafast"}
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=_RATE, options=options)
        stream.width, stream.height = _FILM
        stream.pix_fmt = "yuv420p"
        for number, image in enumerate(_moving(frames)):
            frame: Any = av.VideoFrame
            one = frame.from_image(image).reformat(format="yuv420p")
            one.pts, one.time_base = number, Fraction(1, _RATE)
            out.mux(stream.encode(one))
        out.mux(stream.encode(None))


def _moving(frames: int) -> Iterator[Image.Image]:
    width, height = _FILM
    wide = made_photo(width + 4 * frames + 8, height + 8)
    grain = [Image.effect_noise((width, height), 6) for _ in range(4)]
    for number in range(frames):
        x, y = 4 * number, (number * 7) % 8
        shown = wide.crop((x, y, x + width, y + height))
        noise = grain[number % 4]
        yield ImageChops.add(shown, Image.merge("RGB", (noise, noise, noise)), 1.0, -128)


def _copied(folder: Path, samples: Path | None, endings: tuple[str, ...]) -> list[Path]:
    found = []
    for one in sorted(samples.iterdir()) if samples is not None else ():
        if one.suffix.lower() in endings:
            path = folder / one.name
            path.write_bytes(one.read_bytes())
            found.append(path)
    return found
