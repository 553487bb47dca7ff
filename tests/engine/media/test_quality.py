"""What looks too little like its source never takes its place; how alike it is is measured."""

from dataclasses import replace
from pathlib import Path

import av
import pytest

from custom_components.media_pipeline.engine.media.jobs import CompressJob, Reason, VideoPreset
from custom_components.media_pipeline.engine.media.outcome import LeftAlone
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
