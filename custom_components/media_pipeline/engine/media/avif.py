"""Writing AVIF with SVT-AV1: two thirds of libaom's processor time for the same size and likeness.

PyAV brings the encoder; FFmpeg's AVIF writer knows neither EXIF, XMP nor profiles, so the coded
picture is taken out of what it wrote and put into a file with all of them (ISO 23008-12, AV1 Image
File Format 1.1). Runs in the child process.
"""

import struct
from fractions import Fraction
from io import BytesIO
from typing import Any, Final

import av
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from PIL import Image

from ..errors import MediaUnreadable
from .boxes import boxes
from .data import Data
from .heif_items import XMP_TYPE, HeifItems

_FULL_RANGE: Final = 2  # FFmpeg's number for it
_EXACT: Final = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP
"""How colour is halved: otherwise it comes out a shade off."""
_SRGB: Final = (1, 13, 6)
"""Primaries, transfer and matrix (ITU-T H.273) of an ordinary photo."""
_BY_PROFILE: Final = (2, 2, 6)
"""A profile says what the colours are; only the matrix must be told."""
_ROWS: Final = 256
_LEAST_SIDE, _MOST_WIDE, _MOST_HIGH = 64, 16_384, 8_704
_PICTURE, _EXIF, _XMP = 1, 2, 3


def can_hold(mode: str, size: tuple[int, int]) -> bool:
    """True for what SVT-AV1 takes: colour, even sides, neither tiny nor huge."""
    wide, high = size
    fits = _LEAST_SIDE <= wide <= _MOST_WIDE and _LEAST_SIDE <= high <= _MOST_HIGH
    return mode == "RGB" and fits and not (wide % 2 or high % 2)


def encode_avif(
    picture: Image.Image | av.VideoFrame,
    *,
    crf: int,
    speed: int,
    profile: bytes | None = None,
    exif: bytes = b"",
    xmp: bytes | None = None,
) -> bytes:
    """A whole AVIF file of a picture that ``can_hold``: RGB, or the samples of a JPEG.

    ``crf`` and ``speed`` are SVT-AV1's; ``exif`` begins with its byte order. Raises MediaUnreadable
    when the encoder fails.
    """
    try:
        frame = picture if isinstance(picture, av.VideoFrame) else _frame(picture)
        coded, config = _coded(frame, crf, speed)
    except av.FFmpegError as err:
        raise MediaUnreadable(f"the AVIF encoder failed: {err}") from err
    return _file((frame.width, frame.height), coded, config, profile, exif, xmp)


def _coded(frame: av.VideoFrame, crf: int, speed: int) -> tuple[bytes, bytes]:
    """The coded picture and the box that tells a decoder of it (av1C, without its head)."""
    buffer = BytesIO()
    with av.open(buffer, "w", format="avif") as out:
        # one thread: the pool has a child for each processor. Tune 3 is for what people look at.
        params = "lp=1:avif=1:tune=3"
        options = {"preset": str(speed), "crf": str(crf), "svtav1-params": params}
        stream = out.add_stream("libsvtav1", rate=1, options=options)
        context: Any = stream.codec_context
        context.width, context.height = frame.width, frame.height
        context.pix_fmt, context.color_range = "yuv420p", _FULL_RANGE
        context.color_primaries, context.color_trc, context.colorspace = _SRGB
        frame.pts, frame.time_base = 0, Fraction(1)
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    raw = buffer.getvalue()
    items = HeifItems(raw)
    return items.bytes_of(items.primary), _config(raw)


def _frame(image: Image.Image) -> av.VideoFrame:
    """The picture as the encoder wants it; piece by piece, so that no third copy of it is made."""
    frame = av.VideoFrame(*image.size, "yuv420p")
    planes = [memoryview(plane).cast("B") for plane in frame.planes]
    convert = VideoReformatter()
    for top in range(0, image.height, _ROWS):
        piece = convert.reformat(
            _packed(image.crop((0, top, image.width, min(top + _ROWS, image.height)))),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU601,
            dst_color_range=_FULL_RANGE,
            interpolation=_EXACT,
        )
        for number, (whole, part) in enumerate(zip(planes, piece.planes, strict=True)):
            above = top // 2 if number else top  # colour has half the rows
            begin, size = above * part.line_size, part.height * part.line_size
            whole[begin : begin + size] = memoryview(part).cast("B")[:size]
        frame.color_range, frame.colorspace = piece.color_range, piece.colorspace
    return frame


def _packed(image: Image.Image) -> av.VideoFrame:
    pixels = av.VideoFrame(*image.size, "rgb24")
    plane, row = pixels.planes[0], image.width * 3
    packed = image.tobytes()
    if plane.line_size != row:  # rows are padded
        gap = bytes(plane.line_size - row)
        packed = b"".join(packed[at : at + row] + gap for at in range(0, len(packed), row))
    plane.update(packed)
    return pixels


def _config(raw: bytes) -> bytes:
    data = Data(BytesIO(raw))
    start, end = 0, len(raw)
    for kind, head in ((b"meta", 4), (b"iprp", 0), (b"ipco", 0), (b"av1C", 0)):
        box = next(box for box in boxes(data, start, end) if box.kind == kind)
        start, end = box.start + head, box.end
    return raw[start:end]


def _box(kind: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _full(kind: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags), *parts)


def _file(
    size: tuple[int, int],
    coded: bytes,
    config: bytes,
    profile: bytes | None,
    exif: bytes,
    xmp: bytes | None,
) -> bytes:
    items = [(_PICTURE, b"av01\0", coded)]
    if exif:
        items.append((_EXIF, b"Exif\0", bytes(4) + exif))  # no bytes before its byte order
    if xmp:
        items.append((_XMP, b"mime\0" + XMP_TYPE + b"\0", xmp))
    kinds = _box(b"ftyp", b"avif", bytes(4), b"avif", b"mif1", b"miaf", b"MA1B")
    colours = _BY_PROFILE if profile else _SRGB
    properties = [
        _full(b"ispe", struct.pack(">II", *size)),
        _full(b"pixi", b"\3\10\10\10"),
        _box(b"av1C", config),
        _box(b"colr", b"nclx", struct.pack(">HHHB", *colours, 0x80)),
        *([_box(b"colr", b"prof", profile)] if profile else []),
    ]
    # a decoder that does not understand av1C must not show the picture
    numbers = bytes(n | 0x80 * (n == 3) for n in range(1, len(properties) + 1))

    def meta(begin: int) -> bytes:
        """Everything about the items, whose bytes begin there in the file."""
        places = b""
        for number, _, data in items:
            places += struct.pack(">HHHII", number, 0, 1, begin, len(data))
            begin += len(data)
        about = [_box(b"cdsc", struct.pack(">HHH", n, 1, _PICTURE)) for n, _, _ in items[1:]]
        return _full(
            b"meta",
            _full(b"hdlr", bytes(4), b"pict", bytes(13)),
            _full(b"pitm", struct.pack(">H", _PICTURE)),
            _full(b"iloc", struct.pack(">HH", 0x4400, len(items)), places),
            _full(
                b"iinf",
                struct.pack(">H", len(items)),
                *(
                    # its name is empty and stands between the kind and what belongs to that
                    _full(b"infe", struct.pack(">HH", n, 0), kind[:4], b"\0", kind[5:], version=2)
                    for n, kind, _ in items
                ),
            ),
            *([_full(b"iref", *about)] if about else []),
            _box(
                b"iprp",
                _box(b"ipco", *properties),
                _full(b"ipma", struct.pack(">IHB", 1, _PICTURE, len(numbers)), numbers),
            ),
        )

    begin = len(kinds) + len(meta(0)) + 8
    return b"".join([kinds, meta(begin), _box(b"mdat", *(data for _, _, data in items))])
