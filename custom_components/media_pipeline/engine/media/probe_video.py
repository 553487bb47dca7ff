"""What a film says about itself."""

import re
from pathlib import Path
from typing import Any, Final

import av

from ..errors import MediaUnreadable
from .dates import first_sensible
from .jobs import ProbeResult
from .probe_photo import text, valid_place
from .streams import HDR_TRANSFERS, display_size, rotation

_ISO6709: Final = re.compile(r"([+-]\d+(?:\.\d+)?)([+-]\d+(?:\.\d+)?)([+-]\d+(?:\.\d+)?)?")
_APPLE: Final = "com.apple.quicktime."
_SLOW: Final = 100.0  # pictures a second that nobody records to be watched as fast
_HLG: Final = 18


def probe_video(path: Path, container: str) -> ProbeResult:
    """Return what a film says; MediaUnreadable when it has no picture."""
    try:
        with av.open(str(path)) as file:
            video = file.streams.best("video")
            if video is None or not isinstance(video, av.VideoStream):
                raise MediaUnreadable("no video track")
            return _read(file, video, container)
    except av.FFmpegError as err:
        raise MediaUnreadable(f"the video can't be read: {err}") from err


def _read(file: av.container.InputContainer, video: av.VideoStream, container: str) -> ProbeResult:
    meta = {**video.metadata, **file.metadata}
    width, height = display_size(video)
    turned = rotation(video)
    if turned in {90, 270}:
        width, height = height, width
    latitude, longitude, altitude = _place(meta)
    taken = first_sensible(
        [
            ("apple_key", _date(meta, f"{_APPLE}creationdate")),
            ("container", _date(meta, "creation_time")),
        ]
    )
    rate = float(video.average_rate) if video.average_rate else None
    slow = rate is not None and rate >= _SLOW
    content_id = text(meta.get(f"{_APPLE}content.identifier"))
    return ProbeResult(
        kind="video",
        container=container,
        codec=video.codec_context.name,
        width=width,
        height=height,
        orientation=turned,
        duration=round((file.duration or 0) / av.time_base, 3),
        captured=taken.iso if taken else None,
        captured_from=taken.source if taken else None,
        latitude=latitude,
        longitude=longitude,
        altitude=altitude,
        content_id=content_id,
        make=text(meta.get(f"{_APPLE}make") or meta.get("make")),
        model=text(meta.get(f"{_APPLE}model") or meta.get("model")),
        lens=text(meta.get(f"{_APPLE}camera.lens_model")),
        frame_rate=rate,
        bits=_bits(video),
        hdr=_hdr(video),
        subtype="slow_motion" if slow else "live" if content_id else None,
    )


def _date(meta: dict[str, str], key: str) -> str | None:
    """One date; FFmpeg joins several of one name with semicolons."""
    said = (meta.get(key) or "").partition(";")[0].strip("\0 ")
    return said or None


def _place(meta: dict[str, str]) -> tuple[float | None, float | None, float | None]:
    found = _ISO6709.match(meta.get(f"{_APPLE}location.ISO6709") or meta.get("location") or "")
    if found is None:
        return None, None, None
    latitude, longitude = valid_place(float(found[1]), float(found[2]))
    height = float(found[3]) if found[3] and latitude is not None else None
    return latitude, longitude, height


def _hdr(video: Any) -> str | None:
    context = video.codec_context
    if "dovi_conf" in context.coded_side_data:
        return "dolby_vision"
    if context.color_trc not in HDR_TRANSFERS:
        return None
    return "hlg" if context.color_trc == _HLG else "pq"


def _bits(video: av.VideoStream) -> int:
    shape = video.codec_context.format
    return shape.components[0].bits if shape and shape.components else 8
