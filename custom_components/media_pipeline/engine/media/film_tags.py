"""What a film says of itself, carried over box by box instead of being read and written anew.

FFmpeg reads only some of Apple's keys (no lens, numbers as zero), loses digits of a place, and the
dates of the tracks. So the boxes with tags are copied as they are and put before the pictures.
"""

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from ..errors import BrokenContainer
from .boxes import boxes
from .data import Data
from .jobs import FILM, Captions, Reason
from .metadata import write_captions
from .outcome import LeftAlone
from .xmp import Xmp

_TAGS: Final = (b"meta", b"udta")
_DATED: Final = (b"mvhd", b"tkhd", b"mdhd")
_DOWN: Final = (b"trak", b"mdia", b"minf", b"stbl")
_XMP: Final = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_XMP_HEAD: Final = 8 + len(_XMP)
_PLACE: Final = b"\xa9xyz"
_APPLES_PLACE: Final = b"com.apple.quicktime.location.ISO6709"
_TEXT, _UNDEFINED = 1, 0x55C4  # ``und`` in three times five bits
_PIECE: Final = 1 << 20


class _Part(NamedTuple):
    kind: bytes
    head: bytes
    body: bytes

    @property
    def raw(self) -> bytes:
        return self.head + self.body


def carry_over(
    source: Path, film: Path, mark: tuple[str, str], captions: Captions | None = None
) -> None:
    """Give ``film``, fresh from the muxer, the tags and dates of ``source`` and our mark.

    ``captions`` (without their date) go into its XMP. Moves the index before the pictures, so that
    players can begin at once. Raises OSError, and LeftAlone when the tags can't be understood or
    the film is too large for its kind of index.
    """
    try:
        _carry_over(source, film, mark, captions)
    except (BrokenContainer, struct.error, ValueError) as err:
        raise LeftAlone(Reason.METADATA, f"tags that can't be carried over: {err}") from err


def _carry_over(source: Path, film: Path, mark: tuple[str, str], captions: Captions | None) -> None:
    with source.open("rb") as file:
        theirs = _find(Data(file), b"moov")
        xmp = [one for one in _top(Data(file)) if one[0] == b"uuid" and _is_xmp(file, one)]
        packets = [_read(file, start, end) for _, start, end in xmp]
    extra = b"".join(_with_captions(packets, captions))
    moved = film.with_name(film.name + FILM)
    try:
        with film.open("rb") as old, moved.open("xb") as new:
            data = Data(old)
            tops = list(_top(data))
            mine = _find(data, b"moov")
            if tops[-1][0] != b"moov" or tops[0][0] != b"ftyp":
                raise LeftAlone(Reason.VERIFY_FAILED, "the index is not where it was written")
            size = len(_moov(mine, theirs, mark, 0))
            new.write(_read(old, tops[0][1], tops[0][2]))
            new.write(_moov(mine, theirs, mark, size))
            old.seek(tops[0][2])
            left = tops[-1][1] - tops[0][2]
            while left and (piece := old.read(min(left, _PIECE))):
                new.write(piece)
                left -= len(piece)
            new.write(extra)
        moved.replace(film)
    finally:
        moved.unlink(missing_ok=True)


def _with_captions(packets: list[bytes], captions: Captions | None) -> list[bytes]:
    """The boxes with XMP, the first one saying also what the owner knows the film by."""
    if captions is None or captions == Captions(captured=captions.captured):
        return packets
    packet = Xmp(packets[0][_XMP_HEAD:] if packets else None)
    write_captions(packet, captions)
    return [_box(b"uuid", _XMP + bytes(packet)), *packets[1:]]


def _top(data: Data) -> Iterator[tuple[bytes, int, int]]:
    """Kind, first and last byte of the outermost boxes."""
    at = 0
    for box in boxes(data, 0, len(data)):
        yield box.kind, at, box.end
        at = box.end


def _read(file: io.BufferedReader, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(end - start)


def _is_xmp(file: io.BufferedReader, box: tuple[bytes, int, int]) -> bool:
    return _read(file, box[1] + 8, box[1] + 24) == _XMP


def _find(data: Data, kind: bytes) -> list[_Part]:
    """The parts of the first outermost box of a kind."""
    for box in boxes(data, 0, len(data)):
        if box.kind == kind:
            return _parts(data.read(box.start, box.end - box.start))
    return []


def _parts(raw: bytes) -> list[_Part]:
    at, found = 0, []
    for box in boxes(Data(io.BytesIO(raw)), 0, len(raw)):
        found.append(_Part(box.kind, raw[at : box.start], raw[box.start : box.end]))
        at = box.end
    return found


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, kind) + body


def _moov(mine: list[_Part], theirs: list[_Part], mark: tuple[str, str], shift: int) -> bytes:
    """The new index: my tracks moved by ``shift`` bytes, their tags and dates."""
    dates = next((_dates(part.body) for part in theirs if part.kind == b"mvhd"), (0, 0))
    kept = b"".join(part.raw for part in mine if part.kind == b"mvhd")
    body = _dated(kept, dates) if kept else b""
    lens = _video_tags(theirs)
    for part in mine:
        if part.kind == b"trak":
            inner = _moved(part.body, shift, dates)
            if _is_video(part):
                inner = _without_tags(inner) + lens
            body += _box(b"trak", inner)
        elif part.kind not in {b"mvhd", *_TAGS}:
            body += part.raw
    noted = [inner for part in theirs if part.kind == b"udta" for inner in _parts(part.body)]
    beside = [part for part in theirs if part.kind == b"meta"]
    # Apple's keys are in the index; FFmpeg's programs write them among the user's data
    keys = next((part for part in (*beside, *noted) if _keys(part) is not None), None)
    if (place := _place(keys)) and _PLACE not in {part.kind for part in noted}:
        text = _box(_PLACE, struct.pack(">HH", len(place), _UNDEFINED) + place)
        noted.insert(0, _Part(_PLACE, text[:8], text[8:]))  # where Android looks for it
    marked = _with_mark(keys, mark)
    body += b"".join(marked if part is keys else part.raw for part in beside)
    if keys is None:
        body += marked
    said = b"".join(marked if part is keys else part.raw for part in noted)
    return _box(b"moov", body + (_box(b"udta", said) if said else b""))


def _dates(head: bytes) -> tuple[int, int]:
    """When a film was made and changed, in seconds since 1904."""
    form = ">QQ" if head[:1] == b"\1" else ">II"
    made, changed = struct.unpack_from(form, head, 4)
    return int(made), int(changed)


def _dated(raw: bytes, dates: tuple[int, int]) -> bytes:
    """A header box with other dates; those that it has no room for are left out."""
    wide = raw[8:9] == b"\1"
    fits = wide or max(dates) < 1 << 32
    stamp = struct.pack(">QQ" if wide else ">II", *(dates if fits else (0, 0)))
    return raw[:12] + stamp + raw[12 + len(stamp) :]


def _moved(raw: bytes, shift: int, dates: tuple[int, int]) -> bytes:
    """A track whose pictures lie ``shift`` bytes later."""
    made = b""
    for part in _parts(raw):
        if part.kind in _DOWN:
            made += _box(part.kind, _moved(part.body, shift, dates))
        elif part.kind in _DATED:
            made += _dated(part.raw, dates)
        elif part.kind in {b"stco", b"co64"}:
            form = "I" if part.kind == b"stco" else "Q"
            count = struct.unpack_from(">I", part.body, 4)[0]
            places = struct.unpack_from(f">{count}{form}", part.body, 8)
            try:
                moved = struct.pack(f">{count}{form}", *(at + shift for at in places))
            except struct.error as err:
                raise LeftAlone(Reason.UNSUPPORTED, "just over 4 GiB") from err
            made += _box(part.kind, part.body[:8] + moved)
        else:
            made += part.raw
    return made


def _is_video(track: _Part) -> bool:
    for part in _parts(track.body):
        if part.kind == b"mdia":
            return any(p.kind == b"hdlr" and p.body[8:12] == b"vide" for p in _parts(part.body))
    return False


def _video_tags(moov: list[_Part]) -> bytes:
    """What the first picture track says of itself (the lens)."""
    for part in moov:
        if part.kind == b"trak" and _is_video(part):
            return b"".join(inner.raw for inner in _parts(part.body) if inner.kind in _TAGS)
    return b""


def _without_tags(track: bytes) -> bytes:
    return b"".join(part.raw for part in _parts(track) if part.kind not in _TAGS)


def _keys(described: _Part | None) -> tuple[bytes, list[_Part]] | None:
    """What a box of keys begins with (four zeros in MP4) and its parts; None for another kind."""
    if described is None or described.kind != b"meta":
        return None
    # QuickTime's box begins with another box, MP4's with a version
    start = b"" if described.body[4:8] == b"hdlr" else described.body[:4]
    inner = _parts(described.body[len(start) :])
    kinds = {part.kind for part in inner}
    return (start, inner) if {b"hdlr", b"keys", b"ilst"} <= kinds else None


def _place(described: _Part | None) -> bytes:
    """Apple's text of where a film was made."""
    if (found := _keys(described)) is None:
        return b""
    keys = next(part.body for part in found[1] if part.kind == b"keys")
    at, number = 8, 0
    while at + 8 <= len(keys) and (size := struct.unpack_from(">I", keys, at)[0]) >= 8:
        number += 1
        if keys[at + 8 : at + size] == _APPLES_PLACE:
            items = next(part.body for part in found[1] if part.kind == b"ilst")
            for item in _parts(items):
                if item.kind == struct.pack(">I", number):
                    data = _parts(item.body)
                    return data[0].body[8:] if data else b""
        at += size
    return b""


def _with_mark(described: _Part | None, mark: tuple[str, str]) -> bytes:
    """The box of keys with one more; a new one when there is none."""
    name, value = (text.encode() for text in mark)
    key = struct.pack(">I4s", len(name) + 8, b"mdta") + name
    data = _box(b"data", struct.pack(">II", _TEXT, 0) + value)
    if (found := _keys(described)) is None:
        handler = struct.pack(">II4s12x", 0, 0, b"mdta") + b"\0"
        body = _box(b"hdlr", handler) + _box(b"keys", struct.pack(">II", 0, 1) + key)
        body += _box(b"ilst", _box(struct.pack(">I", 1), data))
        return _box(b"meta", body)
    start, inner = found
    body = start
    for part in inner:
        if part.kind == b"keys":
            count = struct.unpack_from(">I", part.body, 4)[0]
            head = part.body[:4] + struct.pack(">I", count + 1)
            body += _box(b"keys", head + part.body[8:] + key)
        elif part.kind == b"ilst":
            count = _count(inner)
            body += _box(b"ilst", part.body + _box(struct.pack(">I", count + 1), data))
        else:
            body += part.raw
    return _box(b"meta", body)


def _count(inner: list[_Part]) -> int:
    keys = next(part.body for part in inner if part.kind == b"keys")
    return int(struct.unpack_from(">I", keys, 4)[0])
