"""Smaller photos: a JPEG made smaller, with everything it says about itself carried over as it is.

Runs in the child process. Metadata is copied byte for byte instead of being written anew: maker
notes, thumbnails, long XMP and IPTC survive, which no image library manages.
"""

import io
import re
from pathlib import Path

from PIL import Image

from ..errors import BrokenContainer, MediaUnreadable
from .container import check_data
from .data import Data
from .encode import (
    MARK,
    check_memory,
    encode,
    encode_samples,
    handed_over,
    repack,
    samples_for,
    scaled,
)
from .jobs import LEFT_ALONE, Captions, PhotoFormat, PhotoPreset, Reason
from .jpeg import JpegLayout, jpeg_layout, picture_size
from .jpeg_turbo import stored_samples
from .metadata import EXIF_HEADER, Metadata
from .outcome import LeftAlone, Outcome, largest_kept
from .photo_glance import Glance
from .quality import require

_NOT_PADDING = re.compile(rb"[^\0]")
_APP1, _APP2, _APP11, _COM = 0xE1, 0xE2, 0xEB, 0xFE
_EXTRAS = (
    b"hdrgm:",
    b"MotionPhoto",
    b"MicroVideo",
    b"Container:Directory",
    b"apple.com/HDRGainMap",
    b"GDepth:",
)
_SECOND_PICTURES = (b"MPF\0", b"urn:iso:std:iso:ts:21496:-1\0")
_TURNED = {PhotoFormat.AVIF, PhotoFormat.HEIC}  # their pictures are written upright
_LOSSLESS_SAVING = 0.02  # it harms nothing, so it pays sooner


def compress_photo(
    source: Path,
    destination: Path,
    preset: PhotoPreset,
    min_saving: float = 0.10,
    captions: Captions | None = None,
) -> Outcome:
    """Write a smaller photo to ``destination`` when its kind allows it and it pays.

    The result has the same size in pixels (or the preset's cap), orientation, EXIF, ICC, XMP and
    IPTC; ``captions`` are added. Whatever is left alone comes back as an outcome with a reason and
    no file. Raises BrokenContainer, ErrorBody, MediaUnreadable, MediaWorkerMemory, MemoryError
    and OSError.
    """
    try:
        return _compress(source, destination, preset, min_saving, captions)
    except LeftAlone as left:
        return Outcome(left.reason, note=left.note, quality=left.quality)


def _compress(
    source: Path,
    destination: Path,
    preset: PhotoPreset,
    min_saving: float,
    captions: Captions | None,
) -> Outcome:
    with source.open("rb") as file:
        data = Data(file)
        kind = check_data(data)
        if kind != "jpeg":
            raise LeftAlone(LEFT_ALONE.get(kind, Reason.UNSUPPORTED), kind)
        layout = jpeg_layout(data)
        pixels = _refuse_what_would_lose(data, layout, preset)
        check_memory(pixels, preset.format)
        said = Metadata.of(data, layout.segments)
        if captions is not None:
            said = said.with_captions(captions)
        source_size = len(data)
        if (samples := samples_for(preset, data, layout)) is not None:
            before = Glance.of_samples(samples)
            written = encode_samples(samples, preset, said)
        else:
            before, written, said = _through_pillow(file, data, preset, said)
    if preset.format is PhotoFormat.JPEG_LOSSLESS:
        min_saving = min(min_saving, _LOSSLESS_SAVING)
    if len(written) > largest_kept(source_size, min_saving):
        raise LeftAlone(Reason.NOT_SMALLER, f"{len(written)} of {source_size} bytes")
    quality = _verify(before, written, said, preset.format)
    require(quality, preset.floor)
    destination.write_bytes(written)
    return Outcome(Reason.COMPRESSED, len(written), quality=quality)


def _through_pillow(
    file: io.BufferedReader, data: Data, preset: PhotoPreset, said: Metadata
) -> tuple[Glance, bytes, Metadata]:
    """A glance at the source, the new file and what that says about itself."""
    file.seek(0)
    with _open(file) as image:
        if image.mode == "CMYK":
            raise LeftAlone(Reason.CMYK)
        if image.mode not in {"RGB", "L"}:
            raise LeftAlone(Reason.UNSUPPORTED, f"mode {image.mode}")
        if preset.format is PhotoFormat.JPEG_LOSSLESS:
            file.seek(0)
            return Glance.of(image, exact=True), repack(file.read(), said), said
        shown = scaled(image, preset.cap_pixels)
        if shown.size != image.size:
            said = said.resized(*shown.size)
        upright = said.orientation if preset.format in _TURNED else 1
        before = Glance.of(shown, orientation=upright)
        stored = data if shown is image else None
        return before, encode(shown, preset, said, stored), said


def _refuse_what_would_lose(data: Data, layout: JpegLayout, preset: PhotoPreset) -> int:
    """Raise LeftAlone for a JPEG that carries more than one plain 8-bit picture; return pixels."""
    frame = layout.frame.body
    if data.number(frame, 1) != 8:
        raise LeftAlone(Reason.HIGH_BIT_DEPTH)
    width, height = picture_size(data, layout)
    pixels = width * height
    if pixels > preset.max_pixels:
        raise LeftAlone(Reason.TOO_MANY_PIXELS, f"{pixels} pixels")
    if data.number(frame + 5, 1) == 4:
        raise LeftAlone(Reason.CMYK)
    for segment in layout.segments:
        body = data.read(segment.body, segment.end - segment.body)
        if segment.marker == _COM and body.startswith(MARK):
            raise LeftAlone(Reason.ALREADY_COMPRESSED)
        if segment.marker == _APP1 and not body.startswith(EXIF_HEADER):
            if any(word in body for word in _EXTRAS):
                raise LeftAlone(Reason.JPEG_EXTRAS, "gain map, depth or motion photo")
        elif segment.marker == _APP11 or (
            segment.marker == _APP2 and body.startswith(_SECOND_PICTURES)
        ):
            raise LeftAlone(Reason.JPEG_EXTRAS, "second picture or content credentials")
    if data.search(_NOT_PADDING, layout.end, 1) is not None:
        raise LeftAlone(Reason.JPEG_EXTRAS, "data after the picture")
    return pixels


def _open(file: io.IOBase, *formats: str) -> Image.Image:
    """Decode all of a photo; MediaUnreadable when that fails."""
    Image.MAX_IMAGE_PIXELS = None  # the cap was applied to the frame header already
    try:
        image = Image.open(file, formats=formats or ("JPEG", "MPO"))  # type: ignore[arg-type]
        image.load()
    except (OSError, SyntaxError, ValueError) as err:
        raise MediaUnreadable(f"the photo does not decode: {err}") from err
    return image


def _verify(before: Glance, written: bytes, said: Metadata, made: PhotoFormat) -> float:
    """Return how much the new file looks like its source.

    Raises LeftAlone when it isn't the same picture with the same metadata.
    """
    try:
        data = Data(io.BytesIO(written))
        kind = check_data(data)
        if kind == "jpeg":
            after = _seen_again(before, data, written)
            copied = Metadata.of(data, jpeg_layout(data).segments).segments
            same = not said.segments or copied[:-1] == said.segments
        else:
            with _open(io.BytesIO(written), "AVIF", "WEBP", "HEIF") as result:
                after = Glance.of(result, mode=before.mode)
                same = _says_the_same(result, said, made)
    except (BrokenContainer, MediaUnreadable) as err:
        raise LeftAlone(Reason.VERIFY_FAILED, str(err)) from err
    if not same:
        raise LeftAlone(Reason.VERIFY_FAILED, "metadata differs")
    return before.compared_with(after)


def _seen_again(before: Glance, data: Data, written: bytes) -> Glance:
    """The JPEG that was written, looked at as its source was."""
    if before.stored:
        samples = stored_samples(data, jpeg_layout(data))
        if samples is None:
            raise MediaUnreadable("the new photo does not decode")
        return Glance.of_samples(samples)
    with _open(io.BytesIO(written)) as result:
        return Glance.of(result, exact=bool(before.exact), mode=before.mode)


def _says_the_same(result: Image.Image, said: Metadata, made: PhotoFormat) -> bool:
    """Whether EXIF and XMP are in the new file as they were handed over, byte for byte."""
    exif, xmp = handed_over(said, made, result.size)
    found = bytes(result.info.get("exif") or b"").removeprefix(EXIF_HEADER)
    return found == exif and (result.info.get("xmp") or None) == xmp
