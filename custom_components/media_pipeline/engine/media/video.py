"""Smaller videos: HEVC or AV1 with the same picture, timing, turning, colours, sound and tags.

Runs in the child process. The result is decoded completely and compared with what went in before it
counts.
"""

import errno
from collections.abc import Callable
from pathlib import Path

import av

from ..errors import MediaUnreadable
from .container import check_container
from .film_facts import compare_facts, lost_tracks
from .film_shape import fitted_size
from .jobs import Captions, Reason, VideoCodec, VideoPreset
from .memory import memory_short
from .outcome import LeftAlone, Outcome, largest_kept
from .quality import require
from .streams import display_size, dolby_vision, is_spatial, side_data
from .transcode import MARK_KEY, transcode
from .video_colour import Colour, colour_of
from .watch import Watch, watch_file

_FORMATS = frozenset({"yuv420p", "yuvj420p", "yuv420p10le"})
_EFFICIENT = frozenset({"hevc", "av1", "vp9"})
_FULL_HD_RATE = 1920 * 1080 * 30
_APPLES = (8, 4)  # Dolby Vision over HLG, as iPhones record it
_TEN_BITS = "yuv420p10le"
_CLOSE = 0.1  # seconds by which durations may differ
_SAME_ENOUGH = 8.0  # mean difference of small grey pictures, of 255


def compress_video(
    source: Path,
    destination: Path,
    preset: VideoPreset,
    min_saving: float = 0.10,
    *,
    container: str = "mov",
    captions: Captions | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> Outcome:
    """Write a smaller film to ``destination`` when the video's kind allows it and it pays.

    ``container`` is ``mov`` or ``mp4``; ``captions`` are added to what it says about itself;
    ``progress`` is called often with the part done, 0 to 1.
    Whatever is left alone comes back as an outcome with a reason and no file. Raises
    BrokenContainer, ErrorBody, MediaUnreadable, MemoryError and OSError.
    """
    outcome = Outcome(Reason.UNSUPPORTED)
    try:
        check_container(source)
        outcome = _compress(
            source,
            destination,
            preset,
            min_saving,
            container=container,
            captions=captions,
            progress=progress,
        )
    except LeftAlone as left:
        outcome = Outcome(left.reason, note=left.note, quality=left.quality)
    except av.FFmpegError as err:
        if err.errno == errno.EFBIG:
            outcome = Outcome(Reason.NOT_SMALLER, note="the result outgrew the source")
        else:
            raise _translated(err) from err
    finally:
        if not outcome.kept:
            destination.unlink(missing_ok=True)
    return outcome


def _translated(err: av.FFmpegError) -> Exception:
    """The exception to raise in place of FFmpeg's."""
    if isinstance(err, MemoryError) or err.errno == errno.ENOMEM:
        return MemoryError(str(err))
    if err.errno in {errno.ENOSPC, errno.EDQUOT}:
        return OSError(err.errno, err.strerror)
    return MediaUnreadable(f"the video does not decode or encode: {err}")


def _compress(
    source: Path,
    destination: Path,
    preset: VideoPreset,
    min_saving: float,
    *,
    container: str,
    captions: Captions | None,
    progress: Callable[[float], None],
) -> Outcome:
    limit = largest_kept(source.stat().st_size, min_saving)
    with av.open(str(source)) as file:
        video, colour = _judge(file, source, preset)
        dolby = dolby_vision(video) is not None
        before = transcode(
            file,
            video,
            destination,
            preset,
            colour,
            container=container,
            limit=limit,
            dolby_vision=dolby,
            captions=captions,
            progress=lambda part: progress(part * 0.9),
        )
        tags = dict(file.metadata)
    written = destination.stat().st_size
    if written > limit:
        raise LeftAlone(Reason.NOT_SMALLER, f"{written} bytes, {limit} allowed")
    check_container(destination)
    after = watch_file(destination, before, lambda part: progress(0.9 + part * 0.1))
    _compare(before, after)
    compare_facts(destination, tags, colour, dolby=dolby)
    quality = after.quality
    if quality is not None:
        require(quality, preset.floor)
    return Outcome(Reason.COMPRESSED, written, quality=quality)


def _judge(
    file: av.container.InputContainer, source: Path, preset: VideoPreset
) -> tuple[av.VideoStream, Colour]:
    """Return the video stream to transcode; LeftAlone for what gains nothing or would lose."""
    videos = [stream for stream in file.streams.video if not stream.disposition & _attached()]
    if not videos:
        raise MediaUnreadable("no video track")
    video = videos[0]
    context = video.codec_context
    if MARK_KEY in file.metadata:
        raise LeftAlone(Reason.ALREADY_COMPRESSED)
    if len(videos) > 1:
        raise LeftAlone(Reason.EXTRA_TRACKS, f"{len(videos)} video tracks")
    if lost := lost_tracks(source):
        raise LeftAlone(Reason.EXTRA_TRACKS, ", ".join(sorted(lost)))
    if is_spatial(video):
        raise LeftAlone(Reason.SPATIAL)
    if context.pix_fmt not in _FORMATS or not context.width or not context.height:
        raise LeftAlone(Reason.UNSUPPORTED, f"pixels {context.pix_fmt}")
    shown, size = display_size(video), fitted_size(video, preset.cap_pixels)
    if (found := dolby_vision(video)) is not None:
        wanted = preset.dolby_vision and preset.codec is VideoCodec.HEVC
        # what it tells the screen belongs to the pictures as they are
        if found != _APPLES or not wanted or size != shown or context.pix_fmt != _TEN_BITS:
            raise LeftAlone(Reason.DOLBY_VISION, f"profile {found[0]}.{found[1]}")
    elif side_data(video, "ambient_viewing_environment"):
        raise LeftAlone(Reason.HDR, "made for a certain light around the screen")
    if size[0] % 2 or size[1] % 2:
        raise LeftAlone(Reason.UNSUPPORTED, f"size {size[0]}x{size[1]}")
    pixels = shown[0] * shown[1]
    if pixels > preset.max_pixels:
        raise LeftAlone(Reason.TOO_MANY_PIXELS, f"{shown[0]}x{shown[1]}")
    rate = float(video.average_rate or 30)
    floor = preset.floor_mbps * 1e6 * pixels * rate / _FULL_HD_RATE
    bits = _bit_rate(file, video)
    if bits <= floor:
        low = Reason.ALREADY_HEVC_LOW if context.name in _EFFICIENT else Reason.LOW_BITRATE
        raise LeftAlone(low, f"{bits / 1e6:.2f} of {floor / 1e6:.2f} Mbit/s")
    depth = 10 if context.pix_fmt == _TEN_BITS else 8
    if short := memory_short(size[0] * size[1], pixels, depth):
        raise LeftAlone(Reason.NO_MEMORY, short)
    colour = colour_of(source, video.index)
    if colour.moving:
        raise LeftAlone(Reason.HDR, "what the screen is told changes from picture to picture")
    return video, colour


def _attached() -> av.stream.Disposition:
    return av.stream.Disposition.attached_pic


def _bit_rate(file: av.container.InputContainer, video: av.VideoStream) -> float:
    """Bits per second of the video; of the whole file when the stream doesn't say."""
    return float(video.bit_rate or file.bit_rate or 0)


def _compare(before: Watch, after: Watch) -> None:
    """Raise LeftAlone when the result isn't the same film."""
    for what, wrong in (
        ("size", after.size != before.size),
        ("turning", after.rotation != before.rotation),
        ("number of pictures", after.frames != before.frames),
        ("duration", abs(after.duration - before.duration) > _CLOSE),
        ("start", abs(after.start - before.start) > _CLOSE),
        ("sound", after.audio_tracks != before.audio_tracks),
        ("length of the sound", abs(after.audio_duration - before.audio_duration) > _CLOSE),
        ("picture", before.difference(after) > _SAME_ENOUGH),
    ):
        if wrong:
            raise LeftAlone(Reason.VERIFY_FAILED, f"{what} differs: {before} became {after}")
