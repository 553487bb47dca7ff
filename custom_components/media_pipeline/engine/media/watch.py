"""What was seen while a film was decoded, to compare a result with its source."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import av

from .quality import Likeness, Samples, plain, worst_quarter
from .streams import display_size, rotation

_GLANCE = 32  # pixels on each side of the small grey pictures that are compared
_MOST_GLANCES = 64


@dataclass(slots=True)
class Watch:
    """Counts, times (seconds) and a few small grey pictures (frame number to bytes) of a film."""

    size: tuple[int, int]
    rotation: int
    frames: int = 0
    start: float = 0.0
    end: float = 0.0
    audio_tracks: int = 0
    audio_duration: float = 0.0
    step: int = 1
    glances: dict[int, bytes] = field(default_factory=dict, repr=False)
    samples: Samples | None = field(default=None, repr=False)
    likeness: list[float] = field(default_factory=list, repr=False)

    @property
    def duration(self) -> float:
        """From the first picture to the last one, in seconds."""
        return self.end - self.start

    @property
    def quality(self) -> float | None:
        """How much this film looks like the one it was compared with; None without comparing."""
        return round(worst_quarter(self.likeness), 5) if self.likeness else None

    def see(self, frame: av.VideoFrame) -> None:
        """Count a decoded (and cropped) picture; keep a small version of every ``step``-th."""
        time = float(frame.time or 0.0)
        if not self.frames:
            self.start = self.end = time
        self.start, self.end = min(self.start, time), max(self.end, time)
        if self.frames % self.step == 0 and len(self.glances) < _MOST_GLANCES:
            small = frame.reformat(width=_GLANCE, height=_GLANCE, format="gray")
            plane = small.planes[0]
            raw, line = bytes(plane), plane.line_size
            rows = (raw[row * line : row * line + _GLANCE] for row in range(_GLANCE))
            self.glances[self.frames] = b"".join(rows)
        if self.samples is not None:
            self.samples.see(self.frames, frame)
        self.frames += 1

    def difference(self, other: Watch) -> float:
        """Return the largest mean difference (0 to 255) of small pictures that both kept."""
        worst = 0.0
        for at in self.glances.keys() & other.glances.keys():
            pairs = zip(self.glances[at], other.glances[at], strict=True)
            worst = max(worst, sum(abs(one - two) for one, two in pairs) / _GLANCE**2)
        return worst


def step_for(frames: int) -> int:
    """Return how many pictures lie between two glances of a film with that many."""
    return max(1, frames // (_MOST_GLANCES // 2))


def watch_file(path: Path, like: Watch, progress: Callable[[float], None]) -> Watch:
    """Decode all of a film, picture and sound; ``like`` says which pictures to keep and compare.

    Raises av.FFmpegError when any of it does not decode, and LeftAlone for other pixels.
    """
    with av.open(str(path)) as file:
        video = file.streams.video[0]
        video.thread_type = "AUTO"
        seen = Watch(display_size(video), rotation(video), step=like.step)
        seen.audio_tracks = len(file.streams.audio)
        if file.streams.audio:
            seen.audio_duration = audio_seconds(file.streams.audio[0])
        kept = like.samples.frames if like.samples is not None else {}
        compare = Likeness(kept[0]) if kept else None
        for packet in file.demux(video, *file.streams.audio):
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    # what was compared is let go at once
                    if compare and (before := kept.pop(seen.frames, None)) is not None:
                        seen.likeness.append(compare(before, plain(frame)))
                    seen.see(frame)
                    progress(min(seen.frames / max(like.frames, 1), 1.0))
    return seen


def audio_seconds(stream: av.AudioStream) -> float:
    """Return how long a sound track says it is, in seconds."""
    if stream.duration is None or stream.time_base is None:
        return 0.0
    return float(stream.duration * stream.time_base)
