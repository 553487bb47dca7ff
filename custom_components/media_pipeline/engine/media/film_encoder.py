"""Setting up the encoder of a smaller film: HEVC (x265) or AV1 (SVT-AV1)."""

import os
from typing import Any

import av

from .jobs import VideoCodec, VideoPreset
from .presets import encoder_speed
from .streams import display_matrix
from .video_colour import Colour, for_svt, for_x265

THREADS = min(os.process_cpu_count() or 1, 4)
_FULL_HD = 1920 * 1080
# SVT-AV1's numbers for the same picture: its 35 at preset 8 is x265's 24 at fast (both measured).
_SVT_CRF = 11
_SVT_SPEEDS = {"ultrafast": "12", "veryfast": "10"}
_MOST_SVT_CRF = 63
_STREAM_KEYS = ("creation_time", "language", "handler_name")


def add_video(
    out: av.container.OutputContainer,
    video: av.VideoStream,
    preset: VideoPreset,
    size: tuple[int, int],
    colour: Colour,
    *,
    dolby_vision: bool = False,
) -> av.VideoStream:
    """Add the picture's track: same times, colours and turning as ``video``, in ``size``."""
    stream = (
        out.add_stream("libsvtav1", rate=video.average_rate, options=_svt(preset, colour))
        if preset.codec is VideoCodec.AV1
        else out.add_stream(
            "libx265",
            rate=video.average_rate,
            options=_x265(preset, colour, size, dolby_vision=dolby_vision),
        )
    )
    context, source = stream.codec_context, video.codec_context
    context.width, context.height = size
    context.pix_fmt = source.pix_fmt
    if preset.codec is VideoCodec.AV1 and source.pix_fmt == "yuvj420p":
        context.pix_fmt = "yuv420p"  # AV1 says beside that all values are used
    context.time_base = video.time_base  # exact times, also with a variable frame rate
    if preset.codec is VideoCodec.HEVC:
        context.codec_tag = "hvc1"  # Apple does not play FFmpeg's own choice, hev1
    context.color_range = 2 if colour.full_range else source.color_range
    context.color_primaries = colour.primaries
    context.color_trc = colour.transfer
    context.colorspace = colour.matrix
    if source.sample_aspect_ratio:
        context.sample_aspect_ratio = source.sample_aspect_ratio
    if matrix := display_matrix(video):
        stream.set_display_matrix(matrix)
    copy_tags(stream, video)
    return stream


def _svt(preset: VideoPreset, colour: Colour) -> dict[str, str]:
    speed = preset.speed or encoder_speed()
    return {
        "crf": str(min(preset.crf + _SVT_CRF, _MOST_SVT_CRF)),
        "preset": _SVT_SPEEDS.get(speed, "8"),
        "svtav1-params": ":".join([f"lp={THREADS}", "lookahead=10", *for_svt(colour)]),
    }


def _x265(
    preset: VideoPreset, colour: Colour, size: tuple[int, int], *, dolby_vision: bool
) -> dict[str, str]:
    speed = preset.speed or encoder_speed()
    # Threads are bounded because each frame thread costs memory for several more pictures.
    threads = f"pools={THREADS}:frame-threads={min(THREADS, 2)}"
    said = ["log-level=none", threads, *for_x265(colour)]
    options = {"crf": str(preset.crf), "preset": speed}
    if dolby_vision:
        rate = max(20000, 20000 * size[0] * size[1] // _FULL_HD)
        said.append(f"vbv-maxrate={rate}:vbv-bufsize={rate}")  # it may not be without
        options["dolbyvision"] = "1"
    options["x265-params"] = ":".join(said)
    return options


def copy_tags(stream: Any, source: Any) -> None:
    """Carry a track's date, language and name over."""
    for key in _STREAM_KEYS:
        if value := source.metadata.get(key):
            stream.metadata[key] = value
