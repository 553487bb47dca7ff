"""What goes into the media pool and what comes out of it: plain frozen data."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

MediaKind = Literal["photo", "video"]
FILM = ".mp4"
"""What a motion photo's film is called while it is made: its partial file's name and this."""


class PhotoFormat(StrEnum):
    """What a smaller photo is written as."""

    JPEG = "jpeg"
    JPEG_LOSSLESS = "jpeg_lossless"
    """The same picture to the last bit, only packed better."""
    AVIF = "avif"
    WEBP = "webp"
    HEIC = "heic"

    @property
    def suffix(self) -> str:
        """The ending of its files."""
        return ".jpg" if self in {self.JPEG, self.JPEG_LOSSLESS} else f".{self.value}"


class VideoCodec(StrEnum):
    """What a smaller video is encoded in."""

    HEVC = "hevc"
    AV1 = "av1"


class Reason(StrEnum):
    """Why a smaller copy was kept (``compressed``) or the file was left alone (all others)."""

    COMPRESSED = "compressed"
    ALREADY_COMPRESSED = "already_compressed"  # carries our own mark
    NOT_SMALLER = "not_smaller"  # the result saves less than asked for
    VERIFY_FAILED = "verify_failed"  # the result is not the same picture or film
    QUALITY_BELOW_FLOOR = "quality_below_floor"  # the result looks too little like its source
    TOO_MANY_PIXELS = "too_many_pixels"
    UNSUPPORTED = "unsupported"  # a kind of file that has no rule, or pixels that would lose

    # photos
    EFFICIENT_FORMAT = "efficient_format"  # HEIC, AVIF, WebP, GIF: nothing to gain, much to lose
    RAW = "raw"  # RAW, DNG, TIFF
    PNG = "png"
    JPEG_EXTRAS = "jpeg_extras"  # gain map, second picture, motion photo, content credentials
    METADATA = "metadata"  # says something of itself that the wanted format has no place for
    HIGH_BIT_DEPTH = "high_bit_depth"
    CMYK = "cmyk"

    # motion photos
    NOT_A_PAIR = "not_a_pair"  # still and film carry different identifiers
    NOT_REMUXED = "not_remuxed"  # the film does not go into an MP4 as it is

    # videos
    LIVE_VIDEO = "live_video"  # the moving half of a Live Photo
    LOW_BITRATE = "low_bitrate"
    ALREADY_HEVC_LOW = "already_hevc_low"  # HEVC or AV1 with few bits already
    HDR = "hdr"  # of a kind that can't be kept whole
    DOLBY_VISION = "dolby_vision"
    SPATIAL = "spatial"  # two eyes or all around
    EXTRA_TRACKS = "extra_tracks"  # depth, subtitles or a camera's readings that would be lost
    INTERLACED = "interlaced"
    NO_MEMORY = "no_memory"


# Kinds of photo that are left alone whatever is in them; so no child need be started to say so.
LEFT_ALONE = {
    "heif": Reason.EFFICIENT_FORMAT,
    "avif": Reason.EFFICIENT_FORMAT,
    "webp": Reason.EFFICIENT_FORMAT,
    "gif": Reason.EFFICIENT_FORMAT,
    "tiff": Reason.RAW,
    "cr3": Reason.RAW,
    "png": Reason.PNG,
}


@dataclass(frozen=True, slots=True)
class PhotoPreset:
    """How photos are made smaller.

    ``quality`` (1-95) is JPEG's and is translated for the other formats. Pictures of more than
    ``max_pixels`` are left alone; those of more than ``cap_pixels`` are scaled down (0: never).
    What looks less like its source than ``floor`` (an SSIM, see ``quality``) is not kept.
    """

    quality: int = 85
    max_pixels: int = 120_000_000
    format: PhotoFormat = PhotoFormat.JPEG
    cap_pixels: int = 0
    floor: float = 0.0


@dataclass(frozen=True, slots=True)
class Captions:
    """What the owner knows a photo by, to be written into derivatives.

    ``captured`` (ISO 8601 with zone) is only used for a photo without a date that makes sense.
    """

    title: str | None = None
    description: str | None = None
    keywords: tuple[str, ...] = ()
    favorite: bool = False
    captured: str | None = None


@dataclass(frozen=True, slots=True)
class VideoPreset:
    """How videos are made smaller.

    ``floor_mbps`` is in Mbit/s for 1920x1080 at 30 pictures a second and is scaled by pixels and
    rate; what lies below it is left alone. ``max_pixels`` is per picture, and so is ``cap_pixels``,
    to which larger pictures are scaled down (0: never). ``speed`` is x265's; empty chooses by the
    machine. ``floor`` is as for photos. ``dolby_vision`` allows films of profile 8.4, which are
    left alone otherwise.
    """

    crf: int = 26
    speed: str = ""
    floor_mbps: float = 6.0
    audio_kbps: int = 160
    max_pixels: int = 4096 * 2304
    cap_pixels: int = 0
    codec: VideoCodec = VideoCodec.HEVC
    dolby_vision: bool = False
    floor: float = 0.0

    @property
    def container(self) -> str | None:
        """The only container that takes such films; None when the source's will do."""
        return "mp4" if self.dolby_vision or self.codec is VideoCodec.AV1 else None


@dataclass(frozen=True, slots=True)
class CompressJob:
    """Make a smaller copy of ``source`` at ``destination`` (another path, its folder exists).

    ``role`` is the resource's role in its asset; ``live_video`` is never touched. ``min_saving`` is
    the part of the size that has to go for the copy to be kept (0.10 is a tenth).
    """

    source: Path
    destination: Path
    kind: MediaKind
    role: str = "original"
    min_saving: float = 0.10
    preset: PhotoPreset | VideoPreset | None = None
    captions: Captions | None = None


@dataclass(frozen=True, slots=True)
class DeriveJob:
    """Make something else of an asset's files at ``destination`` (its ending fits the content).

    ``motion`` joins a Live Photo's ``source`` and ``film``; ``share`` makes a copy to give away.
    """

    kind: Literal["motion", "share"]
    source: Path
    destination: Path
    film: Path | None = None
    preset: PhotoPreset = PhotoPreset()


@dataclass(frozen=True, slots=True)
class CompressResult:
    """What became of a job; sizes in bytes, ``peak_rss`` in bytes, ``cpu_seconds`` of the child.

    ``path`` is where the copy lies and ``suffix`` its ending with the dot; when nothing was kept
    ``path`` is None, ``size`` is the source's size and ``suffix`` the source's ending.
    """

    kept: bool
    reason: str
    size: int
    source_size: int
    suffix: str
    cpu_seconds: float
    peak_rss: int
    path: Path | None = None
    quality: float | None = None
    """How much the result (also one that was not kept) looks like its source, see ``quality``."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a file says about itself.

    ``width`` and ``height`` are as displayed (after turning), ``orientation`` is EXIF's 1-8 for
    photos and clockwise degrees for videos, ``duration`` is in seconds (0 for photos), ``captured``
    is ISO 8601 (without zone when the file has none) and only a date that makes sense, with who
    said it in ``captured_from`` (see ``dates``), GPS is in degrees and metres. ``hdr`` is
    ``gain_map``, ``hlg``, ``pq`` or ``dolby_vision``; ``subtype`` is ``screenshot``, ``panorama``,
    ``portrait``, ``burst``, ``slow_motion`` or ``live``.
    """

    kind: MediaKind
    container: str
    codec: str
    width: int
    height: int
    orientation: int = 1
    duration: float = 0.0
    captured: str | None = None
    captured_from: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    altitude: float | None = None
    content_id: str | None = None
    make: str | None = None
    model: str | None = None
    lens: str | None = None
    frame_rate: float | None = None
    bits: int = 8
    hdr: str | None = None
    subtype: str | None = None
