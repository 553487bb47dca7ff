"""A MOV as MP4: the same pictures and the same sound in another box, nothing encoded again.

Sound that MP4 players don't know (iPhones record Live Photos with PCM) becomes AAC.
"""

from hashlib import sha256
from pathlib import Path
from typing import Final

import av

from .jobs import Reason, VideoPreset
from .outcome import LeftAlone
from .stamp import stamp_creation
from .streams import display_matrix
from .transcode import Sound, sounds

_CODECS: Final = {"h264": None, "hevc": "hvc1", "mpeg4": None}  # to the tag that players ask for
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
    if _pictures(source) != _pictures(destination):
        raise LeftAlone(Reason.VERIFY_FAILED, "the film's pictures differ")
    stamp_creation(destination, made)


def _pictures(film: Path) -> bytes:
    """A hash over all coded pictures in their order."""
    digest = sha256()
    with av.open(str(film)) as file:
        for packet in file.demux(file.streams.video[0]):
            if packet.dts is not None:
                digest.update(bytes(packet))
    return digest.digest()


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
