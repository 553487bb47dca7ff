"""Makes small real media: every file here comes out of Pillow, pillow_heif or PyAV."""

import math
import os
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pillow_heif
import pytest
from PIL import Image, ImageCms, TiffImagePlugin

_BESIDE = Path(__file__).resolve().parents[3].parent / "shared" / "samples"
SAMPLES = Path(os.environ.get("MEDIA_PIPELINE_SAMPLES") or _BESIDE)
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="sample media not present")

ICC: bytes = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rating>5</rating></x:xmpmeta>'


def packet(attributes: str, inner: str = "") -> bytes:
    """An XMP packet with one description."""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {attributes}>{inner}</rdf:Description>'
        "</rdf:RDF></x:xmpmeta>"
    ).encode()


def picture(width: int = 640, height: int = 480, mode: str = "RGB") -> Image.Image:
    """Something between a photo and noise, so that sizes behave as with photos."""
    noise = Image.effect_noise((width // 4, height // 4), 50).resize((width, height))
    slope = Image.linear_gradient("L").resize((width, height))
    round_ = Image.radial_gradient("L").resize((width, height))
    return Image.merge("RGB", (noise, slope, round_)).convert(mode)


CONTENT_ID = "9C3F0A52-6D1B-4A7E-8B52-0F4E7D1C2A33"


def apple_note(content_id: str = CONTENT_ID, tag: int = 0x11) -> bytes:
    """A maker note as iPhones write it, with the identifier that pairs a Live Photo."""
    text = content_id.encode() + b"\0"
    head = b"Apple iOS\0\0\x01MM" + struct.pack(">H", 1)
    return head + struct.pack(">HHII", tag, 2, len(text), 32) + bytes(4) + text


def exif(orientation: int = 6, content_id: str | None = None) -> Image.Exif:
    data = Image.Exif()
    data[0x112] = orientation
    data[0x10F], data[0x110] = "Maker", "Camera 1"
    details = data.get_ifd(0x8769)
    details[0x9003], details[0x9011], details[0x9291] = "2024:05:06 07:08:09", "+02:00", "123"
    if content_id:
        details[0x927C] = apple_note(content_id)
    rational = TiffImagePlugin.IFDRational
    place = data.get_ifd(0x8825)
    place[1], place[2] = "S", (rational(33), rational(51), rational(25, 2))
    place[3], place[4] = "E", (rational(151), rational(12), rational(30))
    return data


def jpeg(path: Path, width: int = 640, height: int = 480, **options: Any) -> Path:
    image = picture(width, height, options.pop("mode", "RGB"))
    image.save(path, "JPEG", **({"quality": 97} | options))
    return path


def full_jpeg(path: Path) -> Path:
    return jpeg(path, exif=exif(), icc_profile=ICC, xmp=XMP, comment=b"a comment")


def heic(path: Path) -> Path:
    pillow_heif.register_heif_opener()
    picture().save(path, "HEIF", quality=60)
    return path


def other(path: Path, kind: str, mode: str = "RGB") -> Path:
    picture(160, 120, mode).save(path, kind)
    return path


def video(
    path: Path,
    *,
    frames: int = 30,
    size: tuple[int, int] = (320, 240),
    codec: str = "libx264",
    crf: int = 12,
    turned: bool = False,
    tags: dict[str, str] | None = None,
    sound: str | None = None,
    layout: str = "mono",
    pix_fmt: str = "yuv420p",
    times: list[int] | None = None,
    hlg: bool = False,
    flags: str = "use_metadata_tags",
    tracks: int = 1,
) -> Path:
    """A film of a moving picture at 30 pictures a second (or at ``times``, in 1/600 s)."""
    base = picture(size[0] + frames * 2, size[1])
    with av.open(str(path), "w", options={"movflags": flags} if flags else {}) as out:
        out.metadata.update(tags or {})
        streams = [
            _add_video(out, size, codec, crf, pix_fmt, turned=turned, hlg=hlg)
            for _ in range(tracks)
        ]
        audio = out.add_stream(sound, rate=44100, layout=layout) if sound else None
        for number in range(frames):
            image = base.crop((number * 2, 0, number * 2 + size[0], size[1]))
            for stream in streams:
                frame = frame_of(image, pix_fmt)
                frame.time_base = Fraction(1, 600)
                frame.pts = times[number] if times else number * 20
                out.mux(stream.encode(frame))
        for stream in streams:
            out.mux(stream.encode(None))
        if audio is not None:
            _tone(out, audio, frames / 30, layout)
    return path


def frame_of(image: Image.Image, pix_fmt: str) -> Any:
    """A picture of a film."""
    frames: Any = av.VideoFrame  # its from_image has no types
    return frames.from_image(image).reformat(format=pix_fmt)


def _add_video(
    out: Any, size: tuple[int, int], codec: str, crf: int, pix_fmt: str, *, turned: bool, hlg: bool
) -> Any:
    options = {"crf": str(crf), "preset": "ultrafast"}
    if codec == "libx265":
        options["x265-params"] = "log-level=none"
    stream = out.add_stream(codec, rate=30, options=options)
    stream.width, stream.height = size
    context = stream.codec_context
    context.pix_fmt, context.time_base = pix_fmt, Fraction(1, 600)
    if hlg:
        context.color_trc, context.color_primaries, context.colorspace = 18, 9, 9
    if turned:
        stream.set_display_matrix((0, 65536, 0, -65536, 0, 0, size[1] * 65536, 0, 1 << 30))
    return stream


def _tone(out: Any, stream: Any, seconds: float, layout: str) -> None:
    total, step = int(44100 * seconds), 1024
    channels = av.AudioLayout(layout).nb_channels
    for start in range(0, total, step):
        count = min(step, total - start)
        values = [
            int(9000 * math.sin((start + at) / (20 + channel)))
            for at in range(count)
            for channel in range(channels)
        ]
        frame = av.AudioFrame(format="s16", layout=layout, samples=count)
        frame.planes[0].update(
            struct.pack(f"<{len(values)}h", *values).ljust(frame.planes[0].buffer_size, b"\0")
        )
        frame.sample_rate, frame.pts, frame.time_base = 44100, start, Fraction(1, 44100)
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))
