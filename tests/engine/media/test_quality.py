"""What looks too little like its source never takes its place; how alike it is is measured."""

from dataclasses import replace
from pathlib import Path

import av
import pytest

from custom_components.media_pipeline.engine.media.jobs import (
    CompressJob,
    PhotoFormat,
    PhotoPreset,
    Reason,
    VideoPreset,
)
from custom_components.media_pipeline.engine.media.outcome import LeftAlone
from custom_components.media_pipeline.engine.media.photo import compress_photo
from custom_components.media_pipeline.engine.media.photo_likeness import likeness, windows
from custom_components.media_pipeline.engine.media.pool import MediaPool
from custom_components.media_pipeline.engine.media.presets import SETTINGS, Care
from custom_components.media_pipeline.engine.media.quality import (
    Likeness,
    Samples,
    plain,
    worst_quarter,
)
from custom_components.media_pipeline.engine.media.video import compress_video

from . import making

BALANCED = SETTINGS[Care.BALANCED]
FAST = VideoPreset(speed="ultrafast", floor_mbps=0.1, floor=BALANCED.floor)


def picture(pix_fmt: str = "yuv420p", size: tuple[int, int] = (320, 240)) -> av.VideoFrame:
    frame = making.frame_of(making.picture(*size), pix_fmt)
    assert isinstance(frame, av.VideoFrame)
    return frame


def test_the_same_picture_is_one_and_a_grey_one_is_far_from_it() -> None:
    source = picture()
    frame, grey = plain(source), plain(source)
    compare = Likeness(frame)
    assert compare(frame, plain(source)) == 1.0
    for plane in grey.planes:
        plane.update(b"\x80" * plane.buffer_size)
    assert compare(frame, grey) < 0.5


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le"])
def test_only_colour_differs_and_is_seen(pix_fmt: str) -> None:
    """Colour counts: a picture that lost it fails every preset's floor."""
    source = picture(pix_fmt)
    frame, faded = plain(source), plain(source)
    middle = b"\x00\x02" if pix_fmt.endswith("le") else b"\x80"
    for plane in list(faded.planes)[1:]:
        plane.update(middle * (plane.buffer_size // len(middle)))
    assert Likeness(frame)(frame, faded) < min(one.floor for one in SETTINGS.values())


def test_ten_bits_are_not_compared_with_eight() -> None:
    frame = plain(picture("yuv420p10le"))
    with pytest.raises(LeftAlone) as caught:
        Likeness(frame)(frame, plain(picture("yuv420p")))
    assert caught.value.reason is Reason.VERIFY_FAILED


@pytest.mark.parametrize("size", [(320, 240), (322, 242), (1000, 562)])
def test_a_plain_copy_has_the_same_pixels(size: tuple[int, int]) -> None:
    frame = picture(size=size)
    compare = Likeness(plain(frame))
    assert compare(plain(frame), frame.reformat(format="yuv420p")) == 1.0


def test_one_odd_picture_does_not_decide_and_a_bad_scene_does() -> None:
    assert worst_quarter([0.8] + [0.99] * 23) > 0.95
    assert worst_quarter([0.8] * 6 + [0.99] * 18) == pytest.approx(0.8)
    assert worst_quarter([0.9]) == 0.9


@pytest.mark.parametrize("made", [one for one in PhotoFormat if one is not PhotoFormat.JPEG])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_photo_is_measured_whatever_it_becomes(
    made: PhotoFormat, mode: str, tmp_path: Path
) -> None:
    source = making.jpeg(tmp_path / "a.jpg", quality=98, exif=making.exif(), mode=mode)
    preset = PhotoPreset(quality=90, format=made)
    outcome = compress_photo(source, tmp_path / f"b{made.suffix}", preset, 0.0)
    assert outcome.kept, outcome
    assert outcome.quality is not None
    assert 0.85 < outcome.quality <= 1.0
    assert (outcome.quality == 1.0) == (made is PhotoFormat.JPEG_LOSSLESS)


async def test_a_bad_photo_is_rejected_and_nothing_takes_its_place(
    tmp_path: Path, pool: MediaPool
) -> None:
    source = making.jpeg(tmp_path / "a.jpg", quality=98)
    raw = source.read_bytes()
    (tmp_path / "out").mkdir()
    preset = PhotoPreset(quality=5, floor=BALANCED.floor)
    bad = CompressJob(source, tmp_path / "out" / "a.jpg", "photo", preset=preset)
    result = await pool.compress(bad)
    assert result.reason == "quality_below_floor"
    assert result.quality is not None
    assert result.quality < BALANCED.floor
    assert list((tmp_path / "out").iterdir()) == []
    assert source.read_bytes() == raw
    good = await pool.compress(replace(bad, preset=replace(preset, quality=93)))
    assert good.kept
    assert good.quality is not None
    assert good.quality >= BALANCED.floor


def test_the_worst_part_of_a_photo_decides(tmp_path: Path) -> None:
    """A third of it destroyed is not hidden by the rest."""
    whole = making.picture(1536, 1024)
    broken = whole.copy()
    broken.paste((90, 90, 90), (0, 0, 512, 1024))
    assert likeness(windows(whole), windows(whole)) == 1.0
    assert likeness(windows(whole), windows(broken)) < 0.7


@making.needs_samples
@pytest.mark.parametrize("name", ["Apple_iPhone_6.jpg", "Apple_iPhone_4.jpg", "portrait_6.jpg"])
@pytest.mark.parametrize("care", list(Care))
def test_real_photos_pass_at_what_fits_the_floor(care: Care, name: str, tmp_path: Path) -> None:
    said = SETTINGS[care]
    preset = PhotoPreset(quality=said.photo_quality, floor=said.floor)
    outcome = compress_photo(making.SAMPLES / name, tmp_path / "a.jpg", preset, 0.0)
    assert outcome.kept, outcome
    worse = replace(preset, quality=6)
    outcome = compress_photo(making.SAMPLES / name, tmp_path / "b.jpg", worse, 0.0)
    assert outcome.reason is Reason.QUALITY_BELOW_FLOOR
    assert not (tmp_path / "b.jpg").exists()


def test_samples_are_spread_over_a_film_of_any_length() -> None:
    frame = picture(size=(64, 48))
    for length in (1, 7, 100, 5000):
        samples = Samples((64, 48), 8)
        for number in range(length):
            samples.see(number, frame)
        kept = sorted(samples.frames)
        assert kept[0] == 0
        assert min(length, 12) <= len(kept) <= 24
        assert kept[-1] > length * 0.9 - 1


def test_samples_of_large_pictures_stay_small_in_memory() -> None:
    samples = Samples((3840, 2160), 10)
    frame = picture("yuv420p10le", (3840, 2160))
    for number in range(6):
        samples.see(number, frame)
    assert len(samples.frames) <= 4


async def test_a_bad_film_is_rejected_and_nothing_takes_its_place(
    tmp_path: Path, pool: MediaPool
) -> None:
    source = making.video(tmp_path / "a.mov")
    raw = source.read_bytes()
    (tmp_path / "out").mkdir()
    bad = CompressJob(source, tmp_path / "out" / "a.mov", "video", preset=replace(FAST, crf=51))
    result = await pool.compress(bad)
    assert result.reason == "quality_below_floor"
    assert not result.kept
    assert result.quality is not None
    assert result.quality < FAST.floor
    assert list((tmp_path / "out").iterdir()) == []
    assert source.read_bytes() == raw
    good = await pool.compress(replace(bad, preset=replace(FAST, crf=18)))
    assert good.kept
    assert good.quality is not None
    assert FAST.floor <= good.quality < 1.0


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_every_care_keeps_what_it_makes_of_a_plain_film(codec: str, tmp_path: Path) -> None:
    source = making.video(tmp_path / "a.mov", codec=codec, crf=6)
    found = []
    for care, said in SETTINGS.items():
        preset = replace(FAST, crf=said.crf, floor=said.floor, speed="veryfast")
        outcome = compress_video(source, tmp_path / f"{care}.mov", preset)
        assert outcome.kept, outcome
        found.append(outcome.quality or 0.0)
    assert found == sorted(found, reverse=True)
