"""What a file says about itself: size, date, place, codec, and the id that pairs a Live Photo."""

import contextlib
import re
import struct
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from ..errors import MediaUnreadable
from .container import check_container
from .jobs import ProbeResult

_VIDEO = frozenset({"mov", "mp4", "avi"})
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_DATE = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d:\d\d:\d\d)")
_ISO6709 = re.compile(r"([+-]\d+(?:\.\d+)?)([+-]\d+(?:\.\d+)?)")


def probe_file(path: Path) -> dict[str, Any]:
    """Return a ProbeResult as a dict; raises BrokenContainer, ErrorBody or MediaUnreadable."""
    container = check_container(path)
    if container in _VIDEO or (container == "unknown" and _is_video(path)):
        return asdict(_probe_video(path, container))
    return asdict(_probe_photo(path, container))


def _is_video(path: Path) -> bool:
    import av

    try:
        with av.open(str(path)) as file:
            return bool(file.streams.video) and float(file.duration or 0) > 0
    except av.FFmpegError:
        return False


def _probe_photo(path: Path, container: str) -> ProbeResult:
    from PIL import Image, UnidentifiedImageError

    if container == "heif":
        import pillow_heif

        pillow_heif.register_heif_opener()
    Image.MAX_IMAGE_PIXELS = None  # nothing is decoded here
    try:
        with Image.open(path) as image:
            exif = image.getexif()
            details = exif.get_ifd(_EXIF_IFD)
            orientation = int(image.info.get("original_orientation") or exif.get(0x112) or 1)
            width, height = image.size
            if container != "heif" and orientation in {5, 6, 7, 8}:
                width, height = height, width
            latitude, longitude = _gps(exif.get_ifd(_GPS_IFD))
            return ProbeResult(
                kind="photo",
                container=container,
                codec=(image.format or container).lower(),
                width=width,
                height=height,
                orientation=orientation if 1 <= orientation <= 8 else 1,
                captured=_captured(details, exif),
                latitude=latitude,
                longitude=longitude,
                content_id=apple_content_id(details.get(0x927C)),
                make=_text(exif.get(0x10F)),
                model=_text(exif.get(0x110)),
            )
    except UnidentifiedImageError as err:
        raise MediaUnreadable(f"not a picture: {container}") from err
    except (SyntaxError, ValueError, struct.error, RuntimeError) as err:
        raise MediaUnreadable(f"the picture can't be read: {err}") from err


def _captured(details: Any, exif: Any) -> str | None:
    """When a photo was taken, as ISO 8601, with zone and parts of a second when known."""
    found = _DATE.match(str(details.get(0x9003) or details.get(0x9004) or exif.get(0x132) or ""))
    if found is None or found[1] == "0000":
        return None
    parts = re.sub(r"\D", "", str(details.get(0x9291) or ""))[:6]
    zone = str(details.get(0x9011) or details.get(0x9010) or "").strip("\0 ")
    zone = zone if re.fullmatch(r"[+-]\d\d:\d\d", zone) else ""
    return f"{found[1]}-{found[2]}-{found[3]}T{found[4]}{'.' + parts if parts else ''}{zone}"


def _gps(ifd: Any) -> tuple[float | None, float | None]:
    try:
        values = []
        for degrees, reference in ((ifd[2], ifd.get(1, "N")), (ifd[4], ifd.get(3, "E"))):
            value = sum(float(part) / 60**place for place, part in enumerate(degrees))
            values.append(round(-value if str(reference).strip("\0") in {"S", "W"} else value, 7))
    except KeyError, TypeError, ValueError, ZeroDivisionError:
        return None, None
    return _place(*values)


def _place(latitude: float, longitude: float) -> tuple[float | None, float | None]:
    if abs(latitude) <= 90 and abs(longitude) <= 180:  # also refuses not-a-number
        return latitude, longitude
    return None, None


def apple_content_id(note: object) -> str | None:
    """Return the content identifier of an Apple maker note (tag 0x11); None when there is none."""
    if not isinstance(note, bytes) or not note.startswith(b"Apple iOS\0"):
        return None
    order = "<" if note[12:14] == b"II" else ">"
    with contextlib.suppress(struct.error, UnicodeDecodeError):
        (count,) = struct.unpack_from(order + "H", note, 14)
        for entry in range(count):
            tag, kind, size, at = struct.unpack_from(order + "HHII", note, 16 + entry * 12)
            if tag == 0x11 and kind == 2:
                return note[at : at + size].rstrip(b"\0").decode("ascii") or None
    return None


def _probe_video(path: Path, container: str) -> ProbeResult:
    import av

    from .streams import display_size, rotation

    try:
        with av.open(str(path)) as file:
            video = file.streams.best("video")
            if video is None or not isinstance(video, av.VideoStream):
                raise MediaUnreadable("no video track")
            meta = {**video.metadata, **file.metadata}
            width, height = display_size(video)
            turned = rotation(video)
            if turned in {90, 270}:
                width, height = height, width
            latitude, longitude = _video_place(meta)
            return ProbeResult(
                kind="video",
                container=container,
                codec=video.codec_context.name,
                width=width,
                height=height,
                orientation=turned,
                duration=round((file.duration or 0) / av.time_base, 3),
                captured=_video_date(meta),
                latitude=latitude,
                longitude=longitude,
                content_id=_text(meta.get("com.apple.quicktime.content.identifier")),
                make=_text(meta.get("com.apple.quicktime.make") or meta.get("make")),
                model=_text(meta.get("com.apple.quicktime.model") or meta.get("model")),
                frame_rate=float(video.average_rate) if video.average_rate else None,
            )
    except av.FFmpegError as err:
        raise MediaUnreadable(f"the video can't be read: {err}") from err


def _video_date(meta: dict[str, str]) -> str | None:
    """When a video was taken; Apple's own key knows the zone, the container's only UTC."""
    for key in ("com.apple.quicktime.creationdate", "creation_time"):
        with contextlib.suppress(ValueError):
            if text := meta.get(key):
                moment = datetime.fromisoformat(text.strip("\0 "))
                if moment.year > 1904:  # the container's zero
                    return moment.isoformat()
    return None


def _video_place(meta: dict[str, str]) -> tuple[float | None, float | None]:
    text = meta.get("com.apple.quicktime.location.ISO6709") or meta.get("location") or ""
    if found := _ISO6709.match(text):
        return _place(float(found[1]), float(found[2]))
    return None, None


def _text(value: object) -> str | None:
    return str(value).strip("\0 ") or None if value else None
