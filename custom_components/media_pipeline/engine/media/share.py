"""A copy to give away: it shows the picture and says when, but not where and by whom.

Made from nothing and given only what is named here, so that no place, name of a person, serial
number or identifier gets through in a corner that nobody thought of.
"""

from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageOps

from ..errors import MediaUnreadable
from .container import check_container
from .encode import check_memory, scaled
from .jobs import PhotoFormat, PhotoPreset, Reason
from .outcome import LeftAlone, Outcome
from .photo_likeness import likeness, windows
from .probe import is_film
from .quality import require
from .remux import remux

_EXIF_IFD: Final = 0x8769
_GPS_IFD: Final = 0x8825
_MAIN_TAGS: Final = (0x10F, 0x110)  # maker, model
_TAGS: Final = (
    0x829A, 0x829D, 0x8827, 0x9003, 0x9010, 0x9011, 0x9012, 0x9291, 0x9292, 0x920A, 0xA405, 0xA434,
)  # fmt: skip # exposure, aperture, ISO, when, focal length, lens
_BETTER: Final = 95  # the quality for a photo that the preset's makes too unlike itself


def make_share_copy(source: Path, destination: Path, preset: PhotoPreset) -> Outcome:
    """Write a JPEG or an MP4 without a place; at most ``cap_pixels`` (0: as large as it is).

    A photo is decoded again and compared with its source, a film's coded pictures are the source's.
    What can't become one comes back as an outcome with a reason and no file. Raises
    BrokenContainer, ErrorBody, MediaUnreadable and OSError.
    """
    quality: float | None = None
    try:
        if is_film(source, check_container(source)):
            remux(source, destination, tags=False)
        else:
            quality = _photo(source, destination, preset)
    except LeftAlone as left:
        destination.unlink(missing_ok=True)
        return Outcome(left.reason, note=left.note, quality=left.quality)
    return Outcome(Reason.COMPRESSED, destination.stat().st_size, quality=quality)


def _photo(source: Path, destination: Path, preset: PhotoPreset) -> float:
    """Write the JPEG; returns how much it looks like its source, which is the floor at least."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    Image.MAX_IMAGE_PIXELS = None  # checked here
    try:
        with Image.open(source) as image:
            pixels = image.width * image.height
            if pixels > preset.max_pixels:
                raise LeftAlone(Reason.TOO_MANY_PIXELS, f"{pixels} pixels")
            check_memory(pixels, PhotoFormat.HEIC)
            options: dict[str, Any] = {"exif": _few_words(image)}
            if profile := image.info.get("icc_profile"):
                options["icc_profile"] = profile
            shown = plain(ImageOps.exif_transpose(image))
    except (OSError, SyntaxError, ValueError, RuntimeError) as err:
        raise MediaUnreadable(f"the photo does not decode: {err}") from err
    shown.info = {}
    shown = scaled(shown, preset.cap_pixels)
    quality = _saved(shown, destination, preset.quality, options)
    if quality < preset.floor and preset.quality < _BETTER:
        quality = _saved(shown, destination, _BETTER, options)
    require(quality, preset.floor)
    return quality


def _saved(shown: Image.Image, destination: Path, quality: int, options: dict[str, Any]) -> float:
    """Write the JPEG and read it again; returns how much it looks like ``shown``.

    Raises LeftAlone when it is not the same picture or says something that it shall not.
    """
    shown.save(
        destination,
        "JPEG",
        quality=quality,
        progressive=True,
        optimize=True,
        subsampling="4:2:0",
        **options,
    )
    check_container(destination, ".jpg")
    try:
        with Image.open(destination, formats=("JPEG",)) as made:
            made.load()
    except (OSError, SyntaxError, ValueError) as err:
        raise LeftAlone(Reason.VERIFY_FAILED, f"the copy does not decode: {err}") from err
    if (made.size, made.mode) != (shown.size, shown.mode):
        raise LeftAlone(Reason.VERIFY_FAILED, f"{made.mode} {made.size}")
    if _GPS_IFD in made.getexif():
        raise LeftAlone(Reason.VERIFY_FAILED, "the copy names a place")
    return likeness(windows(shown), windows(made))


def plain(image: Image.Image) -> Image.Image:
    """The picture as JPEG can hold it; what is see-through becomes white."""
    if image.mode in {"RGB", "L"}:
        return image
    if image.mode in {"RGBA", "LA", "PA", "P"}:
        full = image.convert("RGBA")
        white = Image.new("RGBA", full.size, "white")
        return Image.alpha_composite(white, full).convert("RGB")
    if image.mode in {"1", "YCbCr"}:
        return image.convert("RGB")
    raise LeftAlone(Reason.UNSUPPORTED, f"mode {image.mode}")


def _few_words(image: Image.Image) -> bytes:
    """New EXIF data with when and how, nothing else."""
    found, few = image.getexif(), Image.Exif()
    for tag in _MAIN_TAGS:
        if tag in found:
            few[tag] = found[tag]
    details = found.get_ifd(_EXIF_IFD)
    few.get_ifd(_EXIF_IFD).update({tag: details[tag] for tag in _TAGS if tag in details})
    return few.tobytes()
