"""The transcode itself: one film in, one smaller film out, tags and timing kept.

The rules in here each answer a measured trap of FFmpeg or PyAV; see the comments.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
from av.audio.resampler import AudioResampler
from av.filter import Graph

from .jobs import Reason, VideoPreset
from .outcome import LeftAlone
from .stamp import stamp_creation
from .streams import cropping, display_matrix, display_size, rotation
from .watch import Watch, audio_seconds, step_for

THREADS = min(os.process_cpu_count() or 1, 4)
MARK_KEY = "media_pipeline"
# The muxer writes these itself; copied they would be there twice.
_OWN_KEYS = frozenset(
    {"major_brand", "minor_version", "compatible_brands", "encoder", "creation_time"}
)
_STREAM_KEYS = ("creation_time", "language", "handler_name")
_LAYOUTS = {1: "mono", 2: "stereo"}


def transcode(
    file: av.container.InputContainer,
    video: av.VideoStream,
    destination: Path,
    preset: VideoPreset,
    *,
    container: str,
    limit: int,
    progress: Callable[[float], None],
) -> Watch:
    """Write ``destination`` and return what was seen of the source on the way.

    Raises LeftAlone as soon as the result has more than ``limit`` bytes, and av.FFmpegError.
    """
    seen = Watch(display_size(video), rotation(video), step=step_for(video.frames))
    # Without use_metadata_tags every com.apple.quicktime key would vanish.
    options = {"movflags": "use_metadata_tags+faststart"}
    with av.open(str(destination), "w", format=container, options=options) as out:
        out.metadata.update(_tags(file.metadata, preset))
        encoder = _add_video(out, video, preset)
        sound = [Sound(out, stream, preset) for stream in sounds(file)]
        seen.audio_tracks = len(sound)
        if sound:
            seen.audio_duration = audio_seconds(sound[0].source)
        written = 0
        for packets in _packets(file, video, encoder, sound, seen):
            for packet in packets:
                written += packet.size
                out.mux(packet)
            if written > limit:
                raise LeftAlone(Reason.NOT_SMALLER, f"outgrew {limit} bytes")
            progress(min(seen.frames / max(video.frames, seen.frames + 1), 1.0))
    stamp_creation(destination, file.metadata.get("creation_time"))
    return seen


def _packets(
    file: av.container.InputContainer,
    video: av.VideoStream,
    encoder: av.VideoStream,
    sound: list[Sound],
    seen: Watch,
) -> Iterator[list[av.Packet[Any]]]:
    """Yield encoded packets as they come, in the order of the source."""
    crop = _Crop(video)
    by_index = {one.source.index: one for one in sound}
    video.thread_type = "AUTO"
    video.codec_context.thread_count = THREADS
    for packet in file.demux(video, *(one.source for one in sound)):
        if (one := by_index.get(packet.stream_index)) is not None:
            yield one.take(packet)
            continue
        for decoded in packet.decode():
            if not isinstance(decoded, av.VideoFrame):
                continue
            if decoded.interlaced_frame:
                raise LeftAlone(Reason.INTERLACED)
            frame = crop(decoded)
            seen.see(frame)
            # Left as it is, the encoder would obey the source's choice of key frames: +70 % size.
            frame.pict_type = av.video.frame.PictureType.NONE
            yield list(encoder.encode(frame))
    yield from ([packet] for packet in encoder.codec_context.encode_lazy(None))
    for one in sound:
        yield one.end()


def _tags(source: dict[str, str], preset: VideoPreset) -> dict[str, str]:
    tags = {key: value for key, value in source.items() if key not in _OWN_KEYS}
    if place := source.get("com.apple.quicktime.location.ISO6709"):
        tags["location"] = place  # a second form that Android reads
    return tags | {MARK_KEY: f"hevc crf{preset.crf}"}


def _add_video(
    out: av.container.OutputContainer, video: av.VideoStream, preset: VideoPreset
) -> av.VideoStream:
    # Threads are bounded because each frame thread costs memory for several more pictures.
    threads = f"pools={THREADS}:frame-threads={min(THREADS, 2)}"
    options = {
        "crf": str(preset.crf),
        "preset": preset.speed,
        "x265-params": f"log-level=none:{threads}",
    }
    stream = out.add_stream("libx265", rate=video.average_rate, options=options)
    context, source = stream.codec_context, video.codec_context
    context.width, context.height = display_size(video)
    context.pix_fmt = source.pix_fmt
    context.time_base = video.time_base  # exact times, also with a variable frame rate
    context.codec_tag = "hvc1"  # Apple does not play FFmpeg's own choice, hev1
    context.color_range = source.color_range
    context.color_primaries = source.color_primaries
    context.color_trc = source.color_trc
    context.colorspace = source.colorspace
    if source.sample_aspect_ratio:
        context.sample_aspect_ratio = source.sample_aspect_ratio
    if matrix := display_matrix(video):
        stream.set_display_matrix(matrix)
    _copy_tags(stream, video)
    return stream


def _copy_tags(stream: Any, source: Any) -> None:
    for key in _STREAM_KEYS:
        if value := source.metadata.get(key):
            stream.metadata[key] = value


class _Crop:
    """Cuts off what the container hides (clean aperture); FFmpeg's libraries leave it to us."""

    def __init__(self, video: av.VideoStream) -> None:
        self._graph: Graph | None = None
        top, _, left, _ = cropping(video)
        if any(cropping(video)):
            width, height = display_size(video)
            self._graph = Graph()
            source = self._graph.add_buffer(template=video, time_base=video.time_base)
            crop = self._graph.add("crop", f"w={width}:h={height}:x={left}:y={top}:exact=1")
            sink = self._graph.add("buffersink")
            source.link_to(crop)
            crop.link_to(sink)
            self._graph.configure()

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        if self._graph is None:
            return frame
        self._graph.push(frame)
        cut = self._graph.pull()
        assert isinstance(cut, av.VideoFrame)  # noqa: S101 - a video graph gives video frames
        return cut


def sounds(file: av.container.InputContainer) -> list[av.AudioStream]:
    """The sound tracks to keep: all AAC ones; else the first that decodes; others can't be."""
    tracks = list(file.streams.audio)
    return [one for one in tracks if one.codec_context.name == "aac"] or tracks[:1]


class Sound:
    """One sound track: AAC is copied, all else becomes AAC."""

    def __init__(
        self, out: av.container.OutputContainer, source: av.AudioStream, preset: VideoPreset
    ) -> None:
        self.source = source
        self._resampler: AudioResampler | None = None
        if source.codec_context.name == "aac":
            self._stream = out.add_stream_from_template(source)
        else:
            # iPhones record PCM whose layout is just "1 channels", which the encoder refuses.
            layout = _LAYOUTS.get(source.codec_context.layout.nb_channels, "stereo")
            rate = source.codec_context.sample_rate
            self._stream = out.add_stream("aac", rate=rate, layout=layout)
            self._stream.codec_context.bit_rate = preset.audio_kbps * 1000
            self._resampler = AudioResampler(format="fltp", layout=layout, rate=rate)
        _copy_tags(self._stream, source)

    def take(self, packet: av.Packet[Any]) -> list[av.Packet[Any]]:
        """Return what to write for one packet of the source."""
        if self._resampler is None:
            if packet.dts is None:  # the empty packet at the end
                return []
            packet.stream = self._stream
            return [packet]
        written: list[av.Packet[Any]] = []
        for frame in self.source.decode(packet):
            for sample in self._resampler.resample(frame):
                written += self._stream.encode(sample)
        return written

    def end(self) -> list[av.Packet[Any]]:
        """Return what the encoder still holds."""
        if self._resampler is None:
            return []
        written: list[av.Packet[Any]] = []
        for sample in self._resampler.resample(None):
            written += self._stream.encode(sample)
        return written + list(self._stream.encode(None))
