"""Writing a decoded photo in one of the formats, with its metadata. Runs in the child process."""

import io
import os
from typing import Any, Final

from av import VideoFrame
from PIL import Image

from ..errors import MediaWorkerMemory
from .avif import can_hold, encode_avif
from .data import Data
from .jobs import PhotoFormat, PhotoPreset, Reason
from .jpeg import JpegLayout, head_segments, jpeg_layout, picture_size
from .jpeg_turbo import StoredSamples, stored_samples
from .memory import memory_available
from .metadata import EXIF_HEADER, Metadata, is_metadata
from .outcome import LeftAlone
from .webp import LONGEST_SIDE, encode_webp

MARK: Final = b"media_pipeline"
# To be added to JPEG's quality for about the same score (SSIMULACRA2; for WebP SSIM). AVIF's is for
# libaom, which takes what SVT-AV1 can't hold.
_SAME_SCORE: Final = {PhotoFormat.AVIF: -7, PhotoFormat.WEBP: 5, PhotoFormat.HEIC: -30}
_AOM_SPEED: Final = 9
_LYING: Final = 4
"""EXIF's orientations above it turn by a quarter."""
_BASE: Final = 60 << 20
# Measured with 12 million pixels; HEIC and AVIF keep several versions of the picture.
_PER_PIXEL: Final = {
    PhotoFormat.JPEG: 9,
    PhotoFormat.JPEG_LOSSLESS: 24,
    PhotoFormat.AVIF: 30,
    PhotoFormat.WEBP: 20,
    PhotoFormat.HEIC: 30,
}


def check_memory(pixels: int, wanted: PhotoFormat) -> None:
    """Raise MediaWorkerMemory when the machine can't hold a photo of that size now.

    An error and no reason to leave it alone, because later there may be room.
    """
    needed, free = _BASE + pixels * _PER_PIXEL[wanted], memory_available()
    if free is not None and free < needed:
        raise MediaWorkerMemory(f"{free >> 20} MiB free, {needed >> 20} MiB needed")


def avif_speed(processors: int, memory: int | None) -> int:
    """SVT-AV1's preset by the machine's strength: 10 on a small one, 8 (1 % smaller for one and a
    half times the work), 6 with processors to spare. ``memory`` is in bytes.
    """
    if processors < 4 or (memory is not None and memory < 2 << 30):
        return 10
    return 8 if processors < 12 else 6


def avif_crf(quality: int) -> int:
    """SVT-AV1's CRF for JPEG's ``quality``.

    By size on real photos, those of libaom at 7 less; SSIM is then as high or higher.
    """
    return min(63, max(1, round(16 + (85 - quality) * 0.8)))


def encode(
    image: Image.Image,
    preset: PhotoPreset,
    said: Metadata,
    stored: Data | None = None,
) -> bytes:
    """Return the picture in the preset's format with this metadata and, in a JPEG, our mark.

    ``stored`` is the JPEG with the very same picture, if there is one: where AVIF and WebP can take
    its samples as they lie there, ``image`` need not be decoded.
    Raises LeftAlone when the format can't hold the picture or what it says about itself.
    """
    if preset.format is PhotoFormat.JPEG:
        buffer = io.BytesIO()
        image.info.pop("comment", None)  # all other metadata is only written when asked for
        image.save(
            buffer,
            "JPEG",
            quality=preset.quality,
            progressive=True,
            optimize=True,
            subsampling="4:2:0",
        )
        return _finished(buffer.getvalue(), preset, said)
    if said.only_jpeg_holds:
        raise LeftAlone(Reason.METADATA, "IPTC, comments or unknown parts")
    return _modern(image, preset, said, stored)


def samples_for(preset: PhotoPreset, data: Data, layout: JpegLayout) -> StoredSamples | None:
    """The samples of a photo that can be written again as they lie there."""
    is_above = _is_above(picture_size(data, layout), preset.cap_pixels)
    if preset.format is not PhotoFormat.JPEG or is_above:
        return None
    return stored_samples(data, layout)


def encode_samples(samples: StoredSamples, preset: PhotoPreset, said: Metadata) -> bytes:
    """``encode`` for what ``samples_for`` found."""
    return _finished(samples.as_jpeg(preset.quality), preset, said)


def _finished(raw: bytes, preset: PhotoPreset, said: Metadata) -> bytes:
    return with_segments(raw, said, b" q%d" % preset.quality)


def repack(raw: bytes, said: Metadata) -> bytes:
    """Return the same JPEG picture, packed better, with this metadata and our mark."""
    import mozjpeg_lossless_optimization as moz

    packed: bytes = moz.optimize(raw, copy=moz.COPY_MARKERS.NONE)  # type: ignore[no-untyped-call]
    return with_segments(packed, said, b" lossless")


def with_segments(raw: bytes, said: Metadata, note: bytes) -> bytes:
    """Put metadata segments and our mark before the picture data of a fresh JPEG."""
    head = head_segments(Data(io.BytesIO(raw)))
    body = next(segment.start for segment in head if not is_metadata(segment))
    comment = MARK + note
    mark = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
    segments = said.as_segments()
    own = raw[2:body] if not segments else b""
    return b"".join((b"\xff\xd8", own, *segments, mark, memoryview(raw)[body:]))


def _modern(image: Image.Image, preset: PhotoPreset, said: Metadata, stored: Data | None) -> bytes:
    """AVIF, WebP or HEIC."""
    profile = image.info.get("icc_profile")
    if image.mode == "L" and profile and preset.format is not PhotoFormat.AVIF:
        raise LeftAlone(Reason.UNSUPPORTED, "grey with a colour profile")
    orientation = said.orientation
    if preset.format is PhotoFormat.WEBP:
        orientation = 1
        if max(image.size) > LONGEST_SIDE:
            raise LeftAlone(Reason.TOO_MANY_PIXELS, f"{max(image.size)} in a row")
    size = image.size[::-1] if orientation > _LYING else image.size
    exif, xmp = handed_over(said, preset.format, size)
    quality = max(1, preset.quality + _SAME_SCORE[preset.format])
    if preset.format is PhotoFormat.AVIF and can_hold(image.mode, size):
        speed = avif_speed(os.process_cpu_count() or 1, memory_available())
        return encode_avif(
            _frame(stored, orientation) or turned(image, orientation),
            crf=avif_crf(preset.quality),
            speed=speed,
            profile=profile,
            exif=exif,
            xmp=xmp,
        )
    if preset.format is PhotoFormat.WEBP and (frame := _frame(stored, orientation, limited=True)):
        return encode_webp(frame, quality, profile=profile, exif=exif, xmp=xmp)
    image = turned(image, orientation)
    options: dict[str, Any] = {
        "quality": quality,
        "icc_profile": profile,
    }
    if exif:
        options["exif"] = EXIF_HEADER + exif
    if xmp:
        options["xmp"] = xmp
    match preset.format:
        case PhotoFormat.AVIF:
            kind = "AVIF"
            options["speed"] = _AOM_SPEED
        case PhotoFormat.WEBP:
            kind = "WEBP"
            options["method"] = 4
        case _:
            import pillow_heif

            pillow_heif.register_heif_opener()
            kind = "HEIF"
            options |= {"chroma": 420, "enc_params": {"preset": "fast"}}
    buffer = io.BytesIO()
    image.info.clear()  # nothing but what is said here
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _frame(stored: Data | None, orientation: int, *, limited: bool = False) -> VideoFrame | None:
    """What the JPEG stores, if an encoder can take it; turned as it is to be shown."""
    samples = stored_samples(stored, jpeg_layout(stored)) if stored else None
    if samples is None or any(side % 2 for side in samples.size):
        return None
    return samples.as_frame(orientation, limited=limited)


def handed_over(
    said: Metadata, made: PhotoFormat, size: tuple[int, int]
) -> tuple[bytes, bytes | None]:
    """The (EXIF, XMP) that such a file gets for a picture of ``size``.

    AVIF and HEIC turn pictures by a property of their own, and libraries write EXIF anew to take
    its orientation out, which breaks maker notes. So there the picture is turned and says nothing.
    """
    if made is PhotoFormat.WEBP:
        return said.exif, said.whole_xmp
    return said.upright(*size)


def scaled(image: Image.Image, cap_pixels: int) -> Image.Image:
    """The picture with at most so many pixels (0: as it is)."""
    if not _is_above(image.size, cap_pixels):
        return image
    part = (cap_pixels / (image.width * image.height)) ** 0.5
    size = max(1, int(image.width * part)), max(1, int(image.height * part))
    small = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    small.info = image.info
    return small


def _is_above(size: tuple[int, int], cap_pixels: int) -> bool:
    return bool(cap_pixels) and size[0] * size[1] > cap_pixels


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """The picture as EXIF's orientation says it is to be shown."""
    return image if orientation == 1 else image.transpose(_TURNS[orientation])


_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
