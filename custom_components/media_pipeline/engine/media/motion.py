"""A Live Photo as one file: the still with its film behind it, as Google's phones write them.

The still's picture is not decoded and not changed. Its XMP says where the film is (Motion Photo
format 1.0; for a JPEG also the older MicroVideo form, which the first Pixel phones read). In a JPEG
the film follows the picture, in a HEIC it lies in a box of its own (``mpvd``).
"""

import io
from pathlib import Path
from typing import Final

from ..errors import BrokenContainer
from .boxes import boxes
from .container import check_data
from .data import Data
from .heif_items import HeifItems
from .jobs import FILM, Reason
from .jpeg import jpeg_layout
from .live_film import still_time
from .metadata import Metadata
from .outcome import LeftAlone, Outcome
from .probe import probe_file
from .remux import remux
from .xmp import Xmp

_BOX_HEAD: Final = 8
_LONGEST: Final = 256 << 20
_MARKS: Final = (b"MotionPhoto", b"MicroVideo", b"Container:Directory", b"hdrgm:Version")
_MIME: Final = {"jpeg": "image/jpeg", "heif": "image/heic"}


def make_motion_photo(still: Path, film: Path, destination: Path) -> Outcome:
    """Write a Motion Photo of a Live Photo's two files, proven to hold both.

    What can't become one comes back as an outcome with a reason and no file. Raises
    BrokenContainer, ErrorBody, MediaUnreadable and OSError.
    """
    beside = destination.with_name(destination.name + FILM)
    try:
        _check_pair(still, film)
        remux(film, beside)
        made = _joined(still.read_bytes(), beside.read_bytes(), still_time(film))
        destination.write_bytes(made)
        return Outcome(Reason.COMPRESSED, len(made))
    except LeftAlone as left:
        return Outcome(left.reason, note=left.note)
    finally:
        beside.unlink(missing_ok=True)


def _check_pair(still: Path, film: Path) -> None:
    """Raise LeftAlone unless the two belong together, as far as they say so."""
    if still.stat().st_size + film.stat().st_size > _LONGEST:
        raise LeftAlone(Reason.UNSUPPORTED, "too long for a Live Photo")
    photo, video = probe_file(still), probe_file(film)
    if photo["container"] not in _MIME or video["kind"] != "video":
        raise LeftAlone(Reason.UNSUPPORTED, f"{photo['container']} and {video['container']}")
    one, two = photo["content_id"], video["content_id"]
    if one and two and one != two:
        raise LeftAlone(Reason.NOT_A_PAIR, "different content identifiers")


def _joined(still: bytes, film: bytes, moment: int) -> bytes:
    if check_data(Data(io.BytesIO(still))) == "jpeg":
        made = _jpeg(still, film, moment)
        _prove_jpeg(made, still, film)
    else:
        made = _heic(still, film, moment)
        _prove_heic(made, still, film)
    return made


def _packet(own: bytes | None, kind: str, film: int, moment: int) -> bytes:
    """The still's XMP, saying also that there is a film of so many bytes."""
    if own and any(mark in own for mark in _MARKS):
        raise LeftAlone(Reason.JPEG_EXTRAS, "gain map or motion photo")
    try:
        packet = Xmp(own)
    except ValueError as err:
        raise LeftAlone(Reason.METADATA, str(err)) from err
    packet.set("GCamera:MotionPhoto", "1")
    packet.set("GCamera:MotionPhotoVersion", "1")
    packet.set("GCamera:MotionPhotoPresentationTimestampUs", str(moment))
    if kind == "jpeg":
        packet.set("GCamera:MicroVideo", "1")
        packet.set("GCamera:MicroVideoVersion", "1")
        packet.set("GCamera:MicroVideoOffset", str(film))
        packet.set("GCamera:MicroVideoPresentationTimestampUs", str(moment))
    packet.set_items(
        "Container:Directory",
        "Container:Item",
        [
            {
                "Item:Mime": _MIME[kind],
                "Item:Semantic": "Primary",
                "Item:Length": "0",
                # in a HEIC the head of the film's box lies between
                "Item:Padding": "0" if kind == "jpeg" else str(_BOX_HEAD),
            },
            {
                "Item:Mime": "video/mp4",
                "Item:Semantic": "MotionPhoto",
                "Item:Length": str(film),
                "Item:Padding": "0",
            },
        ],
    )
    return bytes(packet)


def _jpeg(still: bytes, film: bytes, moment: int) -> bytes:
    data = Data(io.BytesIO(still))
    layout = jpeg_layout(data)
    said = Metadata.of(data, layout.segments)
    if any(m == 0xE2 and body.startswith(b"MPF\0") for m, body in said.segments):
        raise LeftAlone(Reason.JPEG_EXTRAS, "second picture")
    if still[layout.end :].strip(b"\0"):
        raise LeftAlone(Reason.JPEG_EXTRAS, "data after the picture")
    packet = _packet(said.xmp, "jpeg", len(film), moment)
    return said.with_xmp(packet).put_into(still[: layout.end], layout) + film


def _heic(still: bytes, film: bytes, moment: int) -> bytes:
    items = HeifItems(still)
    own = items.bytes_of(items.xmp_item) if items.xmp_item is not None else None
    return items.with_motion(_packet(own, "heif", len(film), moment), film)


def _prove_jpeg(made: bytes, still: bytes, film: bytes) -> None:
    """Picture data as in the still, then exactly the film."""
    new, old = (jpeg_layout(Data(io.BytesIO(raw))) for raw in (made, still))
    same = (
        made[new.end :] == film
        and made[new.frame.start : new.end] == still[old.frame.start : old.end]
        and Metadata.of(Data(io.BytesIO(made)), new.segments).exif
        == Metadata.of(Data(io.BytesIO(still)), old.segments).exif
    )
    if not same:
        raise LeftAlone(Reason.VERIFY_FAILED, "the motion photo differs from its parts")


def _prove_heic(made: bytes, still: bytes, film: bytes) -> None:
    """Every item as in the still, and the film at the end."""
    data = Data(io.BytesIO(made))
    try:
        check_data(data)
        last = list(boxes(data, 0, len(made)))[-1]
        old = HeifItems(still)
        new = HeifItems(made[: last.start - _BOX_HEAD])
        kept = [item for item in old.places if item != old.xmp_item]
        same = (
            (last.kind, made[last.start :]) == (b"mpvd", film)
            and new.primary == old.primary
            and all(new.bytes_of(item) == old.bytes_of(item) for item in kept)
        )
    except (BrokenContainer, KeyError) as err:
        raise LeftAlone(Reason.VERIFY_FAILED, str(err)) from err
    if not same:
        raise LeftAlone(Reason.VERIFY_FAILED, "the motion photo differs from its parts")
