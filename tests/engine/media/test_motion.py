"""A Live Photo becomes one file that others read as a Motion Photo; its still loses nothing."""

import io
import struct
import subprocess
from pathlib import Path

import av
import pillow_heif
import pytest
from PIL import Image

from custom_components.media_pipeline.engine.errors import BrokenContainer
from custom_components.media_pipeline.engine.media.container import check_container
from custom_components.media_pipeline.engine.media.jobs import DeriveJob, Reason
from custom_components.media_pipeline.engine.media.live_film import still_time
from custom_components.media_pipeline.engine.media.motion import make_motion_photo
from custom_components.media_pipeline.engine.media.pool import MediaPool

from . import making, reading

TAGS = {
    "com.apple.quicktime.content.identifier": making.CONTENT_ID,
    "com.apple.quicktime.location.ISO6709": "+52.5200-013.4050+034.000/",
    "com.apple.quicktime.creationdate": "2024-05-06T07:08:09+0200",
}


def film(folder: Path, sound: str | None = "pcm_s16le", **options: str) -> Path:
    path = folder / "film.mov"
    return making.video(path, turned=True, sound=sound, tags=TAGS | options)


def still(
    folder: Path, kind: str, content_id: str | None = making.CONTENT_ID, xmp: bytes = b""
) -> Path:
    pillow_heif.register_heif_opener()
    path = folder / f"still.{kind}"
    extra = {"xmp": xmp} if xmp else {}
    making.picture().save(
        path, {"jpg": "JPEG", "heic": "HEIF"}[kind], exif=making.exif(1, content_id), **extra
    )
    return path


def made(photo: Path, video: Path) -> bytes:
    out = photo.with_name("made" + photo.suffix)
    outcome = make_motion_photo(photo, video, out)
    assert outcome.kept, outcome
    assert outcome.size == out.stat().st_size
    assert not out.with_name(out.name + ".mp4").exists()
    return out.read_bytes()


def directory(path: Path) -> dict[str, object]:
    """An own reader of the XMP that says where the film is: no parser of ours is used."""
    raw = path.read_bytes()
    start = raw.index(b"<x:xmpmeta", raw.index(b"W5M0MpCehiHzreSzNTczkc9d"))
    text = raw[start : raw.index(b"</x:xmpmeta>", start)].decode()

    def one(name: str, after: int = 0) -> str:
        at = text.index(f'{name}="', after) + len(name) + 2
        return text[at : text.index('"', at)]

    second = text.rindex("<Container:Item", 0, text.index('Item:Semantic="MotionPhoto"'))
    primary = text.index("<Container:Item")
    assert one("Item:Semantic", primary) == "Primary"
    return {
        "motion": one("GCamera:MotionPhoto"),
        "version": one("GCamera:MotionPhotoVersion"),
        "still": one("Item:Mime", primary),
        "padding": int(one("Item:Padding", primary)),
        "mime": one("Item:Mime", second),
        "length": int(one("Item:Length", second)),
    }


@pytest.mark.parametrize("kind", ["jpg", "heic"])
@pytest.mark.parametrize("xmp", [b"", making.packet('xmlns:my="urn:mine" my:own="kept"')])
def test_pair_becomes_one_file(kind: str, xmp: bytes, tmp_path: Path) -> None:
    photo, video = still(tmp_path, kind, xmp=xmp), film(tmp_path)
    raw = made(photo, video)
    out = tmp_path / f"made.{kind}"
    assert check_container(out) == ("jpeg" if kind == "jpg" else "heif")
    found = directory(out)
    assert (found["motion"], found["version"], found["mime"]) == ("1", "1", "video/mp4")
    assert found["padding"] == (8 if kind == "heic" else 0)
    length = found["length"]
    assert isinstance(length, int)
    clip = raw[-length:]
    assert clip[4:8] == b"ftyp"
    if kind == "heic":
        head = raw[-length - 8 : -length]
        assert head == struct.pack(">I4s", length + 8, b"mpvd")
    else:
        assert raw[-length - 2 : -length] == b"\xff\xd9"
    assert not xmp or b'own="kept"' in raw
    with Image.open(photo) as before, Image.open(out) as after:
        assert before.tobytes() == after.tobytes()
        assert before.info["exif"] == after.info["exif"]
    with av.open(str(video), "r") as one, av.open(io.BytesIO(clip), "r") as two:
        assert two.format.name.startswith("mov")
        assert two.metadata["com.apple.quicktime.content.identifier"] == making.CONTENT_ID
        assert (
            two.metadata["com.apple.quicktime.location.ISO6709"]
            == TAGS["com.apple.quicktime.location.ISO6709"]
        )
        packets = [
            [bytes(packet) for packet in file.demux(video=0) if packet.size] for file in (one, two)
        ]
        assert packets[0] == packets[1]  # nothing was encoded again
        assert two.streams.audio[0].codec_context.name == "aac"
        assert two.streams.video[0].codec_context.coded_side_data["display_matrix"]


@reading.needs_exiftool
@pytest.mark.parametrize("kind", ["jpg", "heic"])
def test_exiftool_finds_the_film(kind: str, tmp_path: Path) -> None:
    photo = still(tmp_path, kind)
    raw = made(photo, film(tmp_path))
    out = tmp_path / f"made.{kind}"
    before, after = reading.said(photo), reading.said(out)
    wanted = {k: v for k, v in before.items() if k.startswith(("IFD0", "ExifIFD", "GPS", "Apple"))}
    assert {key: after.get(key) for key in wanted} == wanted
    assert after["XMP-GCamera:MotionPhoto"] == 1
    items = reading.exiftool(out, "-struct")["XMP-Container:Directory"]
    first, second = (item["Item"] for item in items)
    assert (first["Semantic"], second["Semantic"]) == ("Primary", "MotionPhoto")
    assert second["Mime"] == "video/mp4"
    length = second["Length"]
    if kind == "jpg":
        assert after["XMP-GCamera:MicroVideoOffset"] == length
    assert not [key for key in after if key.endswith("Warning")]
    tag = "-MotionPhotoVideo" if kind == "heic" else "-EmbeddedVideoFile"
    assert reading.EXIFTOOL is not None
    clip = subprocess.run(
        [reading.EXIFTOOL, "-b", tag, str(out)], check=True, capture_output=True
    ).stdout
    assert clip == b"" or clip == raw[-length:]  # older ones do not know films in a JPEG
    assert kind == "jpg" or clip


async def test_in_a_child_process(tmp_path: Path, pool: MediaPool) -> None:
    job = DeriveJob("motion", still(tmp_path, "heic"), tmp_path / "m.heic", film(tmp_path))
    result = await pool.derive(job)
    assert (result.kept, result.path) == (True, tmp_path / "m.heic")
    assert result.size > job.source.stat().st_size
    broken = tmp_path / "broken.mov"
    broken.write_bytes((tmp_path / "film.mov").read_bytes()[:-400])
    with pytest.raises(BrokenContainer):
        await pool.derive(DeriveJob("motion", job.source, tmp_path / "n.heic", broken))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "broken.mov", "film.mov", "m.heic", "still.heic",
    ]  # fmt: skip


def test_another_still_is_refused(tmp_path: Path) -> None:
    photo = still(tmp_path, "jpg", "11111111-2222-3333-4444-555555555555")
    outcome = make_motion_photo(photo, film(tmp_path), tmp_path / "out.jpg")
    assert outcome.reason is Reason.NOT_A_PAIR
    assert not (tmp_path / "out.jpg").exists()


def test_without_identifier_the_source_is_believed(tmp_path: Path) -> None:
    assert made(still(tmp_path, "jpg", None), film(tmp_path, sound="aac"))


def test_what_can_not_be_joined_is_left_alone(tmp_path: Path) -> None:
    def reason(photo: Path, video: Path) -> Reason:
        outcome = make_motion_photo(photo, video, tmp_path / "out.jpg")
        assert not (tmp_path / "out.jpg").exists()
        return outcome.reason

    video = film(tmp_path)
    gain = making.jpeg(tmp_path / "gain.jpg", xmp=b'<rdf hdrgm:Version="1.0"/>')
    assert reason(gain, video) is Reason.JPEG_EXTRAS
    twice = tmp_path / "twice.jpg"
    twice.write_bytes(made(still(tmp_path, "jpg"), video))
    assert reason(twice, video) is Reason.JPEG_EXTRAS
    two = tmp_path / "two.jpg"
    making.picture().save(two, "MPO", save_all=True, append_images=[making.picture()])
    assert reason(two, video) is Reason.JPEG_EXTRAS
    assert reason(making.other(tmp_path / "a.png", "PNG"), video) is Reason.UNSUPPORTED
    mpeg = making.video(tmp_path / "old.mov", codec="mjpeg", pix_fmt="yuvj420p", tags=TAGS)
    assert reason(still(tmp_path, "jpg"), mpeg) is Reason.NOT_REMUXED


@making.needs_samples
def test_real_live_photo(tmp_path: Path) -> None:
    photo, video = making.SAMPLES / "IMG_4394.HEIC", making.SAMPLES / "IMG_4394.mov"
    out = tmp_path / "made.HEIC"
    assert make_motion_photo(photo, video, out).kept
    assert still_time(video) == 1_233_333
    pillow_heif.register_heif_opener()
    with Image.open(photo) as before, Image.open(out) as after:
        assert before.info["exif"] == after.info["exif"]
        assert before.info["aux"] == after.info["aux"]  # the gain map
        box = (1000, 1000, 1400, 1400)
        assert before.crop(box).tobytes() == after.crop(box).tobytes()
    if reading.EXIFTOOL:
        first, second = reading.said(photo), reading.said(out)
        keys = [
            key for key in first if key.startswith(("IFD0", "ExifIFD", "GPS", "Apple", "XMP-HDR"))
        ]
        assert len(keys) > 50
        assert {key: second.get(key) for key in keys} == {key: first[key] for key in keys}
        assert second["XMP-GCamera:MotionPhotoPresentationTimestampUs"] == 1_233_333


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def test_moment_of_the_still(tmp_path: Path) -> None:
    header = box(b"mvhd", bytes(12), struct.pack(">I", 600), bytes(80))
    empty = struct.pack(">IIIiI", 0, 2, 450, -1, 1 << 16) + struct.pack(">IiI", 10, 0, 1 << 16)
    names = box(b"stsd", bytes(8), b"mebx keys com.apple.quicktime.still-image-time")
    track = box(
        b"trak", box(b"edts", box(b"elst", empty)), box(b"mdia", box(b"minf", box(b"stbl", names)))
    )
    path = tmp_path / "a.mov"
    path.write_bytes(box(b"moov", header, track))
    assert still_time(path) == 750_000
    path.write_bytes(box(b"moov", header))
    assert still_time(path) == -1
    path.write_bytes(box(b"moov", header, track)[:-30])
    assert still_time(path) == -1
