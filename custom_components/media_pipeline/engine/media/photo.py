"""Smaller photos: JPEG to JPEG, with everything the file says about itself carried over as it is.

Runs in the child process. Metadata segments are copied byte for byte instead of being written anew:
maker notes, thumbnails, long XMP and IPTC survive, which no image library manages.
"""

import io
import re
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops, ImageStat

from ..errors import BrokenContainer, MediaUnreadable
from .container import check_data
from .data import Data
from .jobs import LEFT_ALONE, PhotoPreset, Reason
from .jpeg import JpegLayout, Segment, jpeg_layout
from .outcome import LeftAlone, Outcome, largest_kept

MARK = b"media_pipeline"
_NOT_PADDING = re.compile(rb"[^\0]")
_APP0, _APP1, _APP2, _APP11, _APP14, _COM = 0xE0, 0xE1, 0xE2, 0xEB, 0xEE, 0xFE
_LONGEST_EXIF = 65_527
_EXTRAS = (
    b"hdrgm:",
    b"MotionPhoto",
    b"MicroVideo",
    b"Container:Directory",
    b"apple.com/HDRGainMap",
)
_SAME_ENOUGH = 6.0  # mean difference of small grey versions, of 255


def compress_photo(
    source: Path, destination: Path, preset: PhotoPreset, min_saving: float = 0.10
) -> Outcome:
    """Write a smaller JPEG to ``destination`` when the photo's kind allows it and it pays.

    The result has the same size in pixels, orientation, EXIF, ICC, XMP and IPTC. Whatever is left
    alone comes back as an outcome with a reason and no file. Raises BrokenContainer, ErrorBody,
    MediaUnreadable, MemoryError and OSError.
    """
    try:
        return _compress(source, destination, preset, min_saving)
    except LeftAlone as left:
        return Outcome(left.reason, note=left.note)


def _compress(source: Path, destination: Path, preset: PhotoPreset, min_saving: float) -> Outcome:
    with source.open("rb") as file:
        data = Data(file)
        kind = check_data(data)
        if kind != "jpeg":
            raise LeftAlone(LEFT_ALONE.get(kind, Reason.UNSUPPORTED), kind)
        layout = jpeg_layout(data)
        _refuse_what_would_lose(data, layout, preset)
        kept = [
            data.read(segment.start, segment.end - segment.start)
            for segment in layout.segments
            if _is_metadata(segment)
        ]
        source_size = len(data)
        file.seek(0)
        with _open(file) as image:
            if image.mode == "CMYK":
                raise LeftAlone(Reason.CMYK)
            if image.mode not in {"RGB", "L"}:
                raise LeftAlone(Reason.UNSUPPORTED, f"mode {image.mode}")
            written = _encode(image, preset, kept)
            before = _Glance.of(image)
    if len(written) > largest_kept(source_size, min_saving):
        raise LeftAlone(Reason.NOT_SMALLER, f"{len(written)} of {source_size} bytes")
    _verify(before, written, kept)
    destination.write_bytes(written)
    return Outcome(Reason.COMPRESSED, len(written))


def _refuse_what_would_lose(data: Data, layout: JpegLayout, preset: PhotoPreset) -> None:
    """Raise LeftAlone for a JPEG that carries more than one plain 8-bit picture."""
    frame = layout.frame.body
    if data.number(frame, 1) != 8:
        raise LeftAlone(Reason.HIGH_BIT_DEPTH)
    pixels = data.number(frame + 1, 2) * data.number(frame + 3, 2)
    if pixels > preset.max_pixels:
        raise LeftAlone(Reason.TOO_MANY_PIXELS, f"{pixels} pixels")
    if data.number(frame + 5, 1) == 4:
        raise LeftAlone(Reason.CMYK)
    exif = 0
    for segment in layout.segments:
        body = data.read(segment.body, segment.end - segment.body)
        if segment.marker == _COM and body.startswith(MARK):
            raise LeftAlone(Reason.ALREADY_COMPRESSED)
        if segment.marker == _APP1 and body.startswith(b"Exif\0\0"):
            exif += len(body) - 6
        elif segment.marker == _APP1 and any(word in body for word in _EXTRAS):
            raise LeftAlone(Reason.JPEG_EXTRAS, "gain map or motion photo")
        elif segment.marker == _APP11 or (segment.marker == _APP2 and body.startswith(b"MPF\0")):
            raise LeftAlone(Reason.JPEG_EXTRAS, "second picture or content credentials")
    if exif > _LONGEST_EXIF:
        raise LeftAlone(Reason.EXIF_TOO_LARGE, f"{exif} bytes")
    if data.search(_NOT_PADDING, layout.end, 1) is not None:
        raise LeftAlone(Reason.JPEG_EXTRAS, "data after the picture")


def _is_metadata(segment: Segment) -> bool:
    """Application data and comments, without the colour transform of the old picture data."""
    return (_APP0 <= segment.marker <= 0xEF and segment.marker != _APP14) or segment.marker == _COM


def _open(file: io.IOBase) -> Image.Image:
    """Decode all of a JPEG; MediaUnreadable when that fails."""
    Image.MAX_IMAGE_PIXELS = None  # the cap was applied to the frame header already
    try:
        image = Image.open(file, formats=("JPEG", "MPO"))  # type: ignore[arg-type]
        image.load()
    except (OSError, SyntaxError, ValueError) as err:
        raise MediaUnreadable(f"the JPEG does not decode: {err}") from err
    return image


def _encode(image: Image.Image, preset: PhotoPreset, metadata: list[bytes]) -> bytes:
    """Return the picture as a new JPEG with these metadata segments and our mark."""
    buffer = io.BytesIO()
    image.info.pop("comment", None)  # all other metadata is only written when asked for
    image.save(
        buffer, "JPEG", quality=preset.quality, progressive=True, optimize=True, subsampling="4:2:0"
    )
    raw = buffer.getvalue()
    layout = jpeg_layout(Data(io.BytesIO(raw)))
    body = next(segment.start for segment in layout.segments if not _is_metadata(segment))
    comment = MARK + b" q%d" % preset.quality
    mark = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
    head = raw[2:body] if not metadata else b""
    return b"".join((b"\xff\xd8", head, *metadata, mark, raw[body:]))


@dataclass(frozen=True, slots=True)
class _Glance:
    """A picture in short: its size, mode, and a small grey version of it."""

    size: tuple[int, int]
    mode: str
    small: Image.Image

    @classmethod
    def of(cls, image: Image.Image) -> _Glance:
        small = image.resize((64, 64), Image.Resampling.BOX).convert("L")
        return cls(image.size, image.mode, small)


def _verify(before: _Glance, written: bytes, metadata: list[bytes]) -> None:
    """Raise LeftAlone when the new file isn't the same picture with the same metadata."""
    try:
        data = Data(io.BytesIO(written))
        check_data(data)
        copied = [
            written[segment.start : segment.end]
            for segment in jpeg_layout(data).segments
            if _is_metadata(segment)
        ]
        with _open(io.BytesIO(written)) as result:
            after = _Glance.of(result)
    except (BrokenContainer, MediaUnreadable) as err:
        raise LeftAlone(Reason.VERIFY_FAILED, str(err)) from err
    if (after.size, after.mode) != (before.size, before.mode):
        raise LeftAlone(Reason.VERIFY_FAILED, f"{after.mode} {after.size}")
    if metadata and copied[:-1] != metadata:
        raise LeftAlone(Reason.VERIFY_FAILED, "metadata differs")
    difference = ImageChops.difference(before.small, after.small)
    if (mean := ImageStat.Stat(difference).mean[0]) > _SAME_ENOUGH:
        raise LeftAlone(Reason.VERIFY_FAILED, f"the picture differs by {mean:.1f}")
