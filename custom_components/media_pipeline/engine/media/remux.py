"""A film as MP4: the same pictures and the same sound in another box, nothing encoded again.

Sound that MP4 players don't know (iPhones record Live Photos with PCM) becomes AAC.
"""

from collections.abc import Iterator
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from typing import Final

import av

from .container import check_container
from .jobs import Reason, VideoPreset
from .outcome import LeftAlone
from .quality import plain
from .stamp import stamp_creation
from .streams import display_matrix
from .transcode import Sound, sounds

_CODECS: Final = {"h264": None, "hevc": "hvc1", "mpeg4": None}  # to the tag that players ask for
_SAME_FAMILY: Final = frozenset({"mov", "mp4"})
_SAME_TIME: Final = 0.01  # seconds
_KEPT: Final = ("com.apple.quicktime.", "location")


def remux(source: Path, destination: Path, *, tags: bool = True) -> None:
    """Write ``source`` as MP4; LeftAlone when its codec or its times don't allow that.

    Without ``tags`` only the date stays: no place, no camera, no identifier. Tracks other than the
    first picture and its sound (Apple's timed notes) are left out.
    """
    try:
        made = _remux(source, destination, tags=tags)
    except av.FFmpegError as err:
        # cut clips give times out of order, which no muxer takes
        raise LeftAlone(Reason.NOT_REMUXED, str(err)) from err
    try:
        same = _coded(source) == _coded(destination)
        if check_container(source) not in _SAME_FAMILY:
            # other boxes write pictures and their times in other ways: what is shown counts
            same = _shown(source, destination)
    except av.FFmpegError as err:
        raise LeftAlone(Reason.VERIFY_FAILED, str(err)) from err
    if not same:
        raise LeftAlone(Reason.VERIFY_FAILED, "the film's pictures differ")
    stamp_creation(destination, made)


def _coded(film: Path) -> bytes:
    """A hash over all coded pictures in their order."""
    digest = sha256()
    with av.open(str(film)) as file:
        for packet in file.demux(file.streams.video[0]):
            if packet.dts is not None:
                digest.update(bytes(packet))
    return digest.digest()


def _shown(one: Path, two: Path) -> bool:
    """Whether two films show the same pictures, to the last bit, at the same times."""
    pairs = zip_longest(_pictures(one), _pictures(two))
    return all(
        a is not None and b is not None and a[0] == b[0] and abs(a[1] - b[1]) < _SAME_TIME
        for a, b in pairs
    )


def _pictures(film: Path) -> Iterator[tuple[bytes, float]]:
    """A hash of every picture, and its seconds after the first one."""
    with av.open(str(film)) as file:
        video = file.streams.video[0]
        video.thread_type = "AUTO"
        began: float | None = None
        for frame in file.decode(video):
            time = frame.time or 0.0
            began = time if began is None else began
            digest = sha256(f"{frame.format.name} {frame.width} {frame.height}".encode())
            for plane in plain(frame).planes:
                digest.update(bytes(plane))
            yield digest.digest(), time - began


def _remux(source: Path, destination: Path, *, tags: bool) -> str | None:
    """Write the MP4; returns when the film was made."""
    flags = "use_metadata_tags+faststart" if tags else "faststart"
    with (
        av.open(str(source)) as file,
        av.open(str(destination), "w", format="mp4", options={"movflags": flags}) as out,
    ):
        if not file.streams.video:
            raise LeftAlone(Reason.NOT_REMUXED, "no picture")
        video = file.streams.video[0]
        name = video.codec_context.name
        if name not in _CODECS:
            raise LeftAlone(Reason.NOT_REMUXED, name)
        if tags:
            kept = {key: val for key, val in file.metadata.items() if key.startswith(_KEPT)}
            out.metadata.update(kept)
        written = out.add_stream_from_template(video)
        if tag := _CODECS[name]:
            written.codec_context.codec_tag = tag
        if matrix := display_matrix(video):
            written.set_display_matrix(matrix)
        sound = {
            one.source.index: one for one in (Sound(out, s, VideoPreset()) for s in sounds(file))
        }
        for packet in file.demux(video, *(one.source for one in sound.values())):
            if (one := sound.get(packet.stream_index)) is not None:
                for made in one.take(packet):
                    out.mux(made)
            elif packet.dts is not None:
                packet.stream = written
                out.mux(packet)
        for one in sound.values():
            for made in one.end():
                out.mux(made)
        return file.metadata.get("creation_time")
