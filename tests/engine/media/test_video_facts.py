"""What a film says of itself is the same afterwards, to the second and to the last digit."""

import struct
from pathlib import Path
from typing import Any

import av
import pytest

from custom_components.media_pipeline.engine.media.container import check_container
from custom_components.media_pipeline.engine.media.jobs import Reason, VideoCodec, VideoPreset
from custom_components.media_pipeline.engine.media.streams import dolby_vision
from custom_components.media_pipeline.engine.media.video import compress_video
from custom_components.media_pipeline.engine.media.video_colour import colour_of

from . import making, reading

FAST = VideoPreset(speed="ultrafast", floor_mbps=0.1)
# what belongs to the file or to how it is encoded, and not to what was filmed
_TECHNICAL = [
    "Brand",
    "MinorVersion",
    "MediaData",
    "TimeScale",
    "Duration",
    "NextTrackID",
    "Compressor",
    "Vendor",
    "OpColor",
    "Graphics",
    "Handler",
    "Aperture",
    "EncodedPixels",
    "Balance",
    "Volume",
    "Bitrate",
    "LayoutFlags",
    "PurchaseFile",
    "Language",
    "FrameRate",
    "Audio",
    "ImageWidth",
    "ImageHeight",
    "ImageSize",
    "Megapixels",
    "Resolution",
    "BitDepth",
    "Matrix",
    "Color",
    "BufferSize",
    "Transfer",
    "SourceFile",
    "Gen",
    "ContentDescribes",
    "MetaFormat",
    "Track",
    "Warning",
    "HeaderVersion",
]


def facts(path: Path) -> dict[str, Any]:
    """What exiftool reads of a film that must be the same, and the dates and lenses of tracks."""
    found = reading.exiftool(path, "--System:all", "--File:all", "--ExifTool:all")
    kept = {
        key: value
        for key, value in found.items()
        if not any(word in key for word in _TECHNICAL) or "Date" in key or "Lens" in key
    }
    tracks = {key: value for key, value in kept.items() if key.startswith(("Track3", "Track4"))}
    return {key: val for key, val in kept.items() if key not in tracks and "Track5" not in key}


@reading.needs_exiftool
@making.needs_samples
@pytest.mark.parametrize("container", ["mov", "mp4"])
@pytest.mark.parametrize(
    "name", ["ios9.mov", "with-gps.mov", "hlg10-color-test.mp4", "IMG_4394.mov"]
)
def test_exiftool_reads_the_same_of_real_films(name: str, container: str, tmp_path: Path) -> None:
    source, out = making.SAMPLES / name, tmp_path / f"a.{container}"
    outcome = compress_video(source, out, FAST, 0.05, container=container)
    assert outcome.kept, outcome
    before, after = facts(source), facts(out)
    assert len(before) >= 8
    assert {key: after.get(key) for key in before} == before


def movie(path: Path, tags: bytes, noted: bytes, dates: tuple[int, int]) -> Path:
    """A film whose index has these boxes of keys and user data, and these dates."""
    plain = making.video(path.with_name("plain.mov"), flags="", sound="aac")
    raw = plain.read_bytes()
    at = raw.index(b"moov") - 4  # written last, so nothing in the file moves
    body = bytearray(raw[at + 8 :])
    for kind in (b"mvhd", b"tkhd", b"mdhd"):
        where = -1
        while (where := body.find(kind, where + 1)) >= 0:
            body[where + 8 : where + 16] = struct.pack(">II", *dates)
    end = bytes(body).rfind(b"udta") - 4  # FFmpeg's own note, the last box
    moov = bytes(body[:end]) + tags + noted
    path.write_bytes(raw[:at] + struct.pack(">I", len(moov) + 8) + b"moov" + moov)
    check_container(path)
    return path


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, kind) + body


def keys(said: dict[bytes, tuple[int, bytes]]) -> bytes:
    """Apple's box of keys; each with the number of its type and its value as bytes."""
    names = b"".join(box(b"mdta", name) for name in said)
    items = b"".join(
        box(struct.pack(">I", number), box(b"data", struct.pack(">II", kind, 0) + value))
        for number, (kind, value) in enumerate(said.values(), 1)
    )
    handler = box(b"hdlr", struct.pack(">II4s12x", 0, 0, b"mdta") + b"\0")
    head = box(b"keys", struct.pack(">II", 0, len(said)) + names)
    return box(b"meta", handler + head + box(b"ilst", items))


PLACE = b"-33.856784+151.215297+010.123/"
SAID = keys(
    {
        b"com.apple.quicktime.location.ISO6709": (1, PLACE),
        b"com.apple.quicktime.creationdate": (1, b"2024-05-06T07:08:09+0200"),
        # a number in 8 bytes, which FFmpeg reads as 0 and would write so
        b"com.apple.quicktime.full-frame-rate-playback-intent": (22, bytes(7) + b"\1"),
        b"com.example.unknown": (0, b"\0\1\2\xff"),
    }
)


@pytest.mark.parametrize("container", ["mov", "mp4"])
def test_tags_and_dates_are_carried_over_byte_for_byte(container: str, tmp_path: Path) -> None:
    noted = box(b"udta", box(b"FIRM", b"HD9.01") + bytes(4))
    source = movie(tmp_path / "a.mov", SAID, noted, (3_797_824_089, 3_797_824_091))
    out = tmp_path / f"out.{container}"
    assert compress_video(source, out, FAST, container=container).kept
    raw = out.read_bytes()
    assert raw.index(b"moov") < raw.index(b"mdat")  # players can begin at once
    for kept in (PLACE, b"\0\0\0\x16\0\0\0\0" + bytes(7) + b"\1", b"\0\1\2\xff", b"HD9.01"):
        assert kept in raw
    # where Android looks, with all its digits
    assert b"\xa9xyz" + struct.pack(">HH", len(PLACE), 0x55C4) + PLACE in raw
    both = struct.pack(">II", 3_797_824_089, 3_797_824_091)
    assert raw.count(both) == 5  # the film, and each of two tracks twice
    with av.open(str(out)) as file:
        assert file.metadata["media_pipeline"] == "hevc crf26"
        assert file.metadata["com.apple.quicktime.location.ISO6709"] == PLACE.decode()
        assert len(list(file.decode(video=0))) == 30  # the index still points at the pictures
    again = compress_video(out, tmp_path / "twice.mov", FAST)
    assert again.reason is Reason.ALREADY_COMPRESSED


def test_tags_that_cannot_be_understood_leave_a_film_alone(tmp_path: Path) -> None:
    broken = box(b"udta", struct.pack(">I4s", 900, b"name") + b"not 900 bytes")
    source = movie(tmp_path / "a.mov", SAID, broken, (1, 1))
    outcome = compress_video(source, tmp_path / "out.mov", FAST)
    assert outcome.reason is Reason.METADATA
    assert {path.name for path in tmp_path.iterdir()} == {"a.mov", "plain.mov"}


def test_a_film_that_says_nothing_gets_our_mark_only(tmp_path: Path) -> None:
    source = movie(tmp_path / "a.mov", b"", b"", (0, 0))
    assert compress_video(source, tmp_path / "out.mov", FAST).kept
    with av.open(str(tmp_path / "out.mov")) as file:
        assert "creation_time" not in file.metadata
        assert file.metadata["media_pipeline"] == "hevc crf26"


def test_a_cameras_readings_are_not_lost(tmp_path: Path) -> None:
    """A track of places and movements (GoPro) can't come along, so the film is left alone."""
    source = making.video(tmp_path / "a.mov", sound="aac")
    raw = source.read_bytes()
    source.write_bytes(raw.replace(b"mp4a", b"gpmd", 1))
    outcome = compress_video(source, tmp_path / "out.mov", FAST)
    assert (outcome.reason, outcome.note) == (Reason.EXTRA_TRACKS, "gpmd")


_ALL_AROUND = b"""<?xml version="1.0"?><rdf:SphericalVideo
xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
xmlns:GSpherical="http://ns.google.com/videos/1.0/spherical/">
<GSpherical:Spherical>true</GSpherical:Spherical>
<GSpherical:Stitched>true</GSpherical:Stitched>
<GSpherical:StitchingSoftware>x</GSpherical:StitchingSoftware>
<GSpherical:ProjectionType>equirectangular</GSpherical:ProjectionType></rdf:SphericalVideo>"""


def test_a_film_all_around_is_left_alone(tmp_path: Path) -> None:
    """What makes it one would be lost, and it would be shown as a strange flat film."""
    source = making.video(tmp_path / "a.mp4", flags="")
    raw = source.read_bytes()
    note = box(b"uuid", bytes.fromhex("ffcc8263f8554a938814587a02521fdd") + _ALL_AROUND)
    moov, trak = raw.index(b"moov") - 4, raw.index(b"trak") - 4  # written last
    sizes = {at: struct.unpack_from(">I", raw, at)[0] for at in (moov, trak)}
    made = bytearray(raw)
    end = trak + sizes[trak]
    made[end:end] = note
    for at, size in sizes.items():
        made[at : at + 4] = struct.pack(">I", size + len(note))
    source.write_bytes(made)
    check_container(source)
    assert compress_video(source, tmp_path / "b.mp4", FAST).reason is Reason.SPATIAL
    assert not (tmp_path / "b.mp4").exists()


# --- colours and HDR ------------------------------------------------------------------------------

PQ = (16, 9, 9)
SCREEN = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"


def hdr_film(path: Path, transfer: int, x265: str = "", range_: int = 1) -> Path:
    params = f"log-level=none:{x265}".rstrip(":")
    with av.open(str(path), "w") as out:
        stream = out.add_stream(
            "libx265", rate=30, options={"crf": "8", "preset": "ultrafast", "x265-params": params}
        )
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = 320, 240, "yuv420p10le"
        context.color_trc, context.color_primaries, context.colorspace = transfer, 9, 9
        context.color_range = range_
        context.codec_tag = "hvc1"
        base: Any = making.picture(400, 240)
        for number in range(24):
            image = base.crop((number * 2, 0, number * 2 + 320, 240))
            frame = making.frame_of(image, "yuv420p10le")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("codec", list(VideoCodec))
def test_hdr10_stays_hdr10(codec: VideoCodec, tmp_path: Path) -> None:
    source = hdr_film(tmp_path / "a.mov", 16, f"hdr10=1:master-display={SCREEN}:max-cll=1000,400")
    before = colour_of(source)
    assert before.hdr
    assert before.light == (1000, 400)
    assert before.mastering is not None
    assert before.mastering.green == (0.265, 0.69)
    assert (before.mastering.brightest, before.mastering.darkest) == (1000, 0.005)
    out = tmp_path / "out.mp4"
    preset = VideoPreset(speed="ultrafast", floor_mbps=0.1, codec=codec)
    outcome = compress_video(source, out, preset, container="mp4")
    assert outcome.kept, outcome
    after = colour_of(out)
    assert (after.transfer, after.primaries, after.matrix) == PQ
    assert after.light == before.light
    assert after.mastering is not None
    assert after.mastering.brightest == pytest.approx(1000, rel=1e-3)
    with av.open(str(out)) as file:
        assert file.streams.video[0].codec_context.pix_fmt == "yuv420p10le"


@pytest.mark.parametrize("codec", list(VideoCodec))
def test_hlg_stays_hlg(codec: VideoCodec, tmp_path: Path) -> None:
    source = hdr_film(tmp_path / "a.mov", 18)
    preset = VideoPreset(speed="ultrafast", floor_mbps=0.1, codec=codec)
    outcome = compress_video(source, tmp_path / "out.mp4", preset, container="mp4")
    assert outcome.kept, outcome
    assert colour_of(tmp_path / "out.mp4").transfer == 18


def test_a_result_in_other_colours_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from custom_components.media_pipeline.engine.media import film_encoder

    source = hdr_film(tmp_path / "a.mov", 16, f"hdr10=1:master-display={SCREEN}")
    monkeypatch.setattr(film_encoder, "for_x265", lambda _: [])
    outcome = compress_video(source, tmp_path / "out.mov", FAST)
    assert outcome.reason is Reason.VERIFY_FAILED
    assert "colours" in outcome.note
    assert not (tmp_path / "out.mov").exists()


@making.needs_samples
def test_dolby_vision_is_left_alone_unless_wanted(tmp_path: Path) -> None:
    source = making.SAMPLES / "dolbyVision-hdr.MOV"
    outcome = compress_video(source, tmp_path / "x.mov", FAST)
    assert (outcome.reason, outcome.note) == (Reason.DOLBY_VISION, "profile 8.4")
    assert list(tmp_path.iterdir()) == []
    wanted = VideoPreset(speed="ultrafast", floor_mbps=0.1, dolby_vision=True)
    assert wanted.container == "mp4"
    assert compress_video(source, tmp_path / "x.mp4", wanted, container="mp4").kept
    with av.open(str(tmp_path / "x.mp4")) as file:
        video = file.streams.video[0]
        assert dolby_vision(video) == (8, 4)
        assert video.codec_context.codec_tag == "hvc1"
        assert all("DOVI_METADATA" in str(set(f.side_data)) for f in file.decode(video))


@making.needs_samples
def test_dolby_vision_is_not_scaled(tmp_path: Path) -> None:
    wanted = VideoPreset(floor_mbps=0.1, dolby_vision=True, cap_pixels=640 * 360)
    outcome = compress_video(making.SAMPLES / "dolbyVision-hdr.MOV", tmp_path / "x.mp4", wanted)
    assert outcome.reason is Reason.DOLBY_VISION


# --- size, sound ----------------------------------------------------------------------------------


def test_large_pictures_are_scaled_when_wanted(tmp_path: Path) -> None:
    source = making.video(tmp_path / "a.mov", turned=True)
    preset = VideoPreset(speed="ultrafast", floor_mbps=0.1, cap_pixels=160 * 120)
    assert compress_video(source, tmp_path / "b.mov", preset).kept
    with av.open(str(tmp_path / "b.mov")) as file:
        context = file.streams.video[0].codec_context
        assert (context.width, context.height) == (160, 120)
        assert file.streams.video[0].codec_context.coded_side_data.get("display_matrix")


@pytest.mark.parametrize(
    ("codec", "layout", "becomes"),
    [
        ("pcm_s16le", "5.1", "aac"),
        ("pcm_s16le", "stereo", "aac"),
        ("ac3", "5.1(side)", "ac3"),
        ("alac", "stereo", "alac"),
    ],
)
def test_sound_keeps_its_channels(codec: str, layout: str, becomes: str, tmp_path: Path) -> None:
    source = tmp_path / "a.mov"
    making.video(source, sound=codec, layout=layout)
    outcome = compress_video(source, tmp_path / "b.mov", FAST)
    assert outcome.kept, outcome
    with av.open(str(source)) as one, av.open(str(tmp_path / "b.mov")) as two:
        before, after = one.streams.audio[0], two.streams.audio[0]
        assert after.codec_context.name == becomes
        assert after.codec_context.layout.nb_channels == before.codec_context.layout.nb_channels
        assert after.codec_context.sample_rate == before.codec_context.sample_rate
        if becomes == codec:
            assert [bytes(p) for p in two.demux(after)] == [bytes(p) for p in one.demux(before)]
