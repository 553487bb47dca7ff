"""The transcode itself: one film in, one smaller film out, tags and timing kept.

The rules in here each answer a measured trap of FFmpeg or PyAV; see the comments.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
from av.audio.resampler import AudioResampler

from .film_encoder import THREADS, add_video, copy_tags
from .film_shape import Shape, fitted_size
from .film_tags import carry_over
from .jobs import Captions, Reason, VideoPreset
from .outcome import LeftAlone
from .quality import Samples
from .streams import rotation
from .video_colour import Colour
from .watch import Watch, audio_seconds, step_for

MARK_KEY = "media_pipeline"
# Sound that both containers and all players take as it is.
_COPIED = frozenset({"aac", "mp3", "ac3", "eac3", "alac"})
# What the AAC encoder takes; a source that names no layout gets the usual one for its channels.
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}
_MOST_PAIRS = 3  # the chosen bit rate is for two channels


def transcode(
    file: av.container.InputContainer,
    video: av.VideoStream,
    destination: Path,
    preset: VideoPreset,
    colour: Colour,
    *,
    container: str,
    limit: int,
    dolby_vision: bool = False,
    captions: Captions | None = None,
    progress: Callable[[float], None],
) -> Watch:
    """Write ``destination`` and return what was seen of the source on the way.

    Raises LeftAlone as soon as the result has more than ``limit`` bytes, and av.FFmpegError.
    """
    size = fitted_size(video, preset.cap_pixels)
    step = step_for(video.frames)
    seen = Watch(size, rotation(video), step=step)
    shape = video.codec_context.format
    depth = shape.components[0].bits if shape is not None else 8
    seen.samples = Samples(size, depth, step)
    # what FFmpeg calls the box of Dolby Vision in MP4
    options = {"strict": "unofficial"} if dolby_vision else {}
    with av.open(str(destination), "w", format=container, options=options) as out:
        encoder = add_video(out, video, preset, size, colour, dolby_vision=dolby_vision)
        sound = [Sound(out, stream, preset) for stream in sounds(file)]
        seen.audio_tracks = len(sound)
        if sound:
            seen.audio_duration = audio_seconds(sound[0].source)
        written = 0
        for packets in _packets(file, video, encoder, sound, seen, Shape(video, size)):
            for packet in packets:
                written += packet.size
                out.mux(packet)
            if written > limit:
                raise LeftAlone(Reason.NOT_SMALLER, f"outgrew {limit} bytes")
            progress(min(seen.frames / max(video.frames, seen.frames + 1), 1.0))
    mark = (MARK_KEY, f"{preset.codec} crf{preset.crf}")
    carry_over(Path(file.name), destination, mark, captions)
    return seen


def _packets(
    file: av.container.InputContainer,
    video: av.VideoStream,
    encoder: av.VideoStream,
    sound: list[Sound],
    seen: Watch,
    fit: Shape,
) -> Iterator[list[av.Packet[Any]]]:
    """Yield encoded packets as they come, in the order of the source."""
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
            frame = fit(decoded)
            seen.see(frame)
            # Left as it is, the encoder would obey the source's choice of key frames: +70 % size.
            frame.pict_type = av.video.frame.PictureType.NONE
            yield list(encoder.encode(frame))
    yield from ([packet] for packet in encoder.codec_context.encode_lazy(None))
    for one in sound:
        yield one.end()


def sounds(file: av.container.InputContainer) -> list[av.AudioStream]:
    """The sound tracks to keep: all that can be copied; else the first; others can't be."""
    tracks = list(file.streams.audio)
    return [one for one in tracks if one.codec_context.name in _COPIED] or tracks[:1]


class Sound:
    """One sound track: what players take is copied, all else becomes AAC with its channels."""

    def __init__(
        self, out: av.container.OutputContainer, source: av.AudioStream, preset: VideoPreset
    ) -> None:
        self.source = source
        self._resampler: AudioResampler | None = None
        if source.codec_context.name in _COPIED:
            self._stream = out.add_stream_from_template(source)
        else:
            # iPhones record PCM whose layout is just "1 channels", which the encoder refuses.
            channels = source.codec_context.layout.nb_channels
            named = source.codec_context.layout.name
            layout = named if named in _LAYOUTS.values() else _LAYOUTS.get(channels, "stereo")
            rate = source.codec_context.sample_rate
            self._stream = out.add_stream("aac", rate=rate, layout=layout)
            pairs = min((channels + 1) // 2, _MOST_PAIRS)
            self._stream.codec_context.bit_rate = preset.audio_kbps * 1000 * pairs
            self._resampler = AudioResampler(format="fltp", layout=layout, rate=rate)
        copy_tags(self._stream, source)

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
