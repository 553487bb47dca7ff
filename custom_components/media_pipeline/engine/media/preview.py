"""A small JPEG of a photo or of a film's beginning, to look through a library. Runs in the child.

Says nothing of itself: no place, no names, no date.
"""

from pathlib import Path
from typing import Any, Final

import av
from PIL import Image, ImageOps

from ..errors import MediaUnreadable
from .container import check_container
from .encode import check_memory
from .jobs import PhotoFormat
from .outcome import LeftAlone
from .share import plain
from .streams import rotation

_FILMS: Final = frozenset({"mov", "mp4"})
_MOST_PIXELS: Final = 250_000_000
_QUALITY: Final = 80
_LATER: Final = 1.0  # seconds into the film, as the first picture is often black


def make_preview(source: Path, destination: Path, side: int) -> None:
    """Write a JPEG that fits a square of ``side`` pixels, turned upright.

    Raises BrokenContainer, ErrorBody, MediaUnreadable, MediaWorkerMemory and OSError.
    """
    options: dict[str, Any] = {}
    try:
        if check_container(source) in _FILMS:
            image = _of_film(source)
        else:
            image = _of_photo(source, side)
            if profile := image.info.get("icc_profile"):
                options["icc_profile"] = profile
    except LeftAlone as left:
        raise MediaUnreadable(f"no preview: {left.reason} {left.note}") from left
    except (OSError, SyntaxError, ValueError, RuntimeError) as err:
        raise MediaUnreadable(f"no preview: {err}") from err
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    image.info = {}
    image.save(destination, "JPEG", quality=_QUALITY, progressive=True, optimize=True, **options)


def _of_photo(source: Path, side: int) -> Image.Image:
    import pillow_heif

    pillow_heif.register_heif_opener()
    Image.MAX_IMAGE_PIXELS = None  # checked here
    with Image.open(source) as image:
        pixels = image.width * image.height
        if pixels > _MOST_PIXELS:
            raise MediaUnreadable(f"no preview of {pixels} pixels")
        image.draft(None, (side, side))  # JPEG is decoded small already
        check_memory(image.width * image.height, PhotoFormat.JPEG)
        return plain(ImageOps.exif_transpose(image))


def _of_film(source: Path) -> Image.Image:
    with av.open(str(source)) as file:
        if not file.streams.video:
            raise MediaUnreadable("no video track")
        video = file.streams.video[0]
        video.thread_count = 1
        picture: Image.Image | None = None
        for frame in file.decode(video):
            if picture is None or (frame.time or 0.0) >= _LATER:
                picture = frame.to_image()  # type: ignore[no-untyped-call]
            if (frame.time or 0.0) >= _LATER:
                break
        if picture is None:
            raise MediaUnreadable("no picture in the film")
        turn = rotation(video) % 360
    return picture.rotate(-turn, expand=True) if turn else picture
