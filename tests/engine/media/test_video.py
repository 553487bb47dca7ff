"""Smaller videos: what stays the same, and which are left alone."""

from dataclasses import replace
from pathlib import Path

import av
import pytest

from custom_components.media_pipeline.engine.errors import BrokenContainer, MediaUnreadable
from custom_components.media_pipeline.engine.media import video as video_module
from custom_components.media_pipeline.engine.media.jobs import CompressJob, Reason, VideoPreset
from custom_components.media_pipeline.engine.media.pool import MediaPool
from custom_components.media_pipeline.engine.media.streams import display_size, rotation
from custom_components.media_pipeline.engine.media.video import compress_video
from tests.support.pools import Pools

from . import making

APPLE = {
    "com.apple.quicktime.creationdate": "2024-05-06T07:08:09+0200",
    "com.apple.quicktime.location.ISO6709": "-33.8570+151.2150+010.000/",
    "com.apple.quicktime.make": "Apple",
    "com.apple.quicktime.content.identifier": "A-B-C",
}
FAST = VideoPreset(speed="ultrafast", floor_mbps=0.1)


def run(source: Path, preset: VideoPreset = FAST, saving: float = 0.1) -> Reason:
    before = source.read_bytes()
    outcome = compress_video(source, source.with_name("out.mov"), preset, saving)
    assert source.read_bytes() == before
    assert source.with_name("out.mov").exists() == outcome.kept
    return outcome.reason


def times(path: Path) -> list[float]:
    with av.open(str(path)) as file:
        return [round(float(frame.time or 0), 4) for frame in file.decode(video=0)]


@pytest.mark.parametrize("suffix", [".mov", ".mp4"])
async def test_video_is_smaller_and_the_same(suffix: str, tmp_path: Path, pool: MediaPool) -> None:
    source = making.video(tmp_path / f"a{suffix}", turned=True, tags=APPLE, sound="aac")
    raw = source.read_bytes()
    out = tmp_path / "out" / f"a{suffix}"
    out.parent.mkdir()
    result = await pool.compress(CompressJob(source, out, "video", preset=FAST))
    assert result.kept
    assert (result.suffix, result.path) == (suffix, out)
    assert result.size <= result.source_size * 0.9
    assert list(out.parent.iterdir()) == [out]
    assert source.read_bytes() == raw
    assert out.stat().st_mtime_ns == source.stat().st_mtime_ns
    one, two = await pool.probe(source), await pool.probe(out)
    assert two.codec == "hevc"
    assert two.duration == pytest.approx(one.duration, abs=0.1)
    assert replace(two, codec=one.codec, duration=one.duration, frame_rate=None) == replace(
        one, frame_rate=None
    )
    assert (one.content_id, one.orientation, one.latitude) == ("A-B-C", 90, -33.857)
    assert one.captured == "2024-05-06T07:08:09+02:00"
    assert times(out) == times(source)
    with av.open(str(out)) as file:
        assert file.streams.video[0].codec_context.codec_tag == "hvc1"
        assert APPLE.items() <= file.metadata.items()
        assert file.streams.audio[0].codec_context.name == "aac"
    again = await pool.compress(CompressJob(out, tmp_path / "twice.mov", "video", preset=FAST))
    assert again.reason == "already_compressed"


@making.needs_samples
async def test_real_iphone_film(tmp_path: Path, pool: MediaPool) -> None:
    source = making.SAMPLES / "ios9.mov"
    preset = VideoPreset(speed="veryfast")
    result = await pool.compress(CompressJob(source, tmp_path / "a.mov", "video", preset=preset))
    assert result.kept
    with av.open(str(source)) as one, av.open(str(tmp_path / "a.mov")) as two:
        keys = {key for key in one.metadata if key.startswith("com.apple.quicktime.")}
        assert len(keys) >= 5
        assert {key: two.metadata[key] for key in keys} == {key: one.metadata[key] for key in keys}
        assert rotation(two.streams.video[0]) == rotation(one.streams.video[0]) == 90
        assert two.metadata["creation_time"] == one.metadata["creation_time"]
    assert times(tmp_path / "a.mov") == times(source)


@making.needs_samples
async def test_real_film_with_hidden_margin_and_pcm_sound(tmp_path: Path, pool: MediaPool) -> None:
    source = making.SAMPLES / "IMG_4394.mov"
    result = await pool.compress(CompressJob(source, tmp_path / "a.mov", "video", preset=FAST))
    assert result.kept
    with av.open(str(tmp_path / "a.mov")) as file:
        assert display_size(file.streams.video[0]) == (1744, 1308)
        assert file.streams.video[0].codec_context.color_range == 2
        assert file.streams.audio[0].codec_context.name == "aac"
    assert len(times(tmp_path / "a.mov")) == 53


async def test_live_video_is_never_touched(tmp_path: Path, pool: MediaPool) -> None:
    source = making.video(tmp_path / "a.mov", frames=3)
    job = CompressJob(source, tmp_path / "b.mov", "video", role="live_video", preset=FAST)
    assert (await pool.compress(job)).reason == "live_video"


def test_ten_bits_stay_ten_bits(tmp_path: Path) -> None:
    source = making.video(tmp_path / "a.mov", codec="libx265", pix_fmt="yuv420p10le", crf=8)
    assert run(source) is Reason.COMPRESSED
    with av.open(str(tmp_path / "out.mov")) as file:
        assert file.streams.video[0].codec_context.pix_fmt == "yuv420p10le"


def test_low_bit_rates(tmp_path: Path) -> None:
    assert run(making.video(tmp_path / "a.mov"), VideoPreset(floor_mbps=1e4)) is Reason.LOW_BITRATE
    hevc = making.video(tmp_path / "b.mov", codec="libx265")
    assert run(hevc, VideoPreset(floor_mbps=1e4)) is Reason.ALREADY_HEVC_LOW


def test_not_smaller(tmp_path: Path) -> None:
    source = making.video(tmp_path / "a.mov", codec="libx265", crf=40)
    assert run(source, replace(FAST, crf=10, floor_mbps=0)) is Reason.NOT_SMALLER


def test_pixels_and_sizes(tmp_path: Path) -> None:
    source = making.video(tmp_path / "a.mov", frames=3)
    assert run(source, replace(FAST, max_pixels=99)) is Reason.TOO_MANY_PIXELS
    rich = making.video(tmp_path / "b.mov", frames=3, pix_fmt="yuv444p")
    assert run(rich) is Reason.UNSUPPORTED


def test_second_video_track(tmp_path: Path) -> None:
    assert run(making.video(tmp_path / "a.mov", frames=3, tracks=2)) is Reason.EXTRA_TRACKS


def test_variable_frame_rate_keeps_its_times(tmp_path: Path) -> None:
    moments = [0, 20, 40, 100, 110, 115, 120, 300, 301, 400, 555, 560, 600, 640, 641]
    source = making.video(tmp_path / "a.mov", frames=len(moments), times=moments)
    assert run(source) is Reason.COMPRESSED
    assert times(tmp_path / "out.mov") == times(source)


def test_pcm_sound_becomes_aac(tmp_path: Path) -> None:
    assert run(making.video(tmp_path / "a.mov", sound="pcm_s16le")) is Reason.COMPRESSED
    with av.open(str(tmp_path / "out.mov")) as file:
        assert file.streams.audio[0].codec_context.name == "aac"


def test_too_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = making.video(tmp_path / "a.mov", frames=3)
    monkeypatch.setattr(video_module, "memory_short", lambda *_: "1 MiB free")
    assert run(source) is Reason.NO_MEMORY


async def test_too_little_allowed_memory(tmp_path: Path, pools: Pools) -> None:
    source = making.video(tmp_path / "a.mov", frames=3)
    small = pools(memory_bytes=500 << 20)
    job = CompressJob(source, tmp_path / "b.mov", "video", preset=FAST)
    assert (await small.compress(job)).reason == "no_memory"


def test_broken_films(tmp_path: Path) -> None:
    source = making.video(tmp_path / "a.mov")
    raw = source.read_bytes()
    source.write_bytes(raw[:-1])
    with pytest.raises(BrokenContainer):
        run(source)
    start = raw.index(b"mdat") + 4
    source.write_bytes(raw[:start] + b"\xff" * 20_000 + raw[start + 20_000 :])
    with pytest.raises(MediaUnreadable):
        run(source)


def test_wrong_result_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A result that decodes to something else never counts."""
    source = making.video(tmp_path / "a.mov")
    other = making.video(tmp_path / "b.mov", frames=29)
    real = video_module.watch_file
    monkeypatch.setattr(
        video_module, "watch_file", lambda _, like, progress: real(other, like, progress)
    )
    assert run(source) is Reason.VERIFY_FAILED
