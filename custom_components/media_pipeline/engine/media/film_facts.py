"""What a film carries besides pictures and sound: what would be lost, and what must be the same."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import av

from .boxes import boxes
from .data import Data
from .jobs import Reason
from .outcome import LeftAlone
from .stamp import holds
from .streams import dolby_vision
from .video_colour import Colour, colour_of, same_colours

_SAID: Final = ("com.apple.quicktime.", "com.android.", "location")
_DOWN: Final = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}
# Places along the way, speed and gyroscope of GoPro, DJI and Google; subtitles.
_LOST: Final = frozenset({"gpmd", "djmd", "dbgi", "camm", "tx3g", "wvtt", "stpp", "text", "sbtl"})


def lost_tracks(path: Path) -> set[str]:
    """Kinds of tracks that no one would want to miss and a smaller version can't have.

    Apple's timed notes (``mebx``) are not among them: every film of an iPhone has some, and they
    tell of faces and turning while it was recorded.
    """
    with path.open("rb") as file:
        data = Data(file)
        return set(_formats(data, 0, len(data))) & _LOST


def _formats(data: Data, start: int, end: int) -> Iterator[str]:
    for box in boxes(data, start, end):
        if box.kind in _DOWN:
            yield from _formats(data, box.start, box.end)
        elif box.kind == b"stsd" and box.end - box.start >= 16:
            yield data.read(box.start + 12, 4).decode("latin-1")


def compare_facts(path: Path, tags: Mapping[str, str], colour: Colour, *, dolby: bool) -> None:
    """Raise LeftAlone when the film at ``path`` doesn't say what its source said."""
    with av.open(str(path)) as file:
        said = dict(file.metadata)
        if dolby and dolby_vision(file.streams.video[0]) is None:
            raise LeftAlone(Reason.VERIFY_FAILED, "Dolby Vision is gone")
    for key, value in tags.items():
        if key.startswith(_SAID) and said.get(key) != value:
            raise LeftAlone(Reason.VERIFY_FAILED, f"{key} differs")
    made = tags.get("creation_time")
    if holds(made) is not None and holds(said.get("creation_time")) != holds(made):
        raise LeftAlone(Reason.VERIFY_FAILED, "the date differs")
    found = colour_of(path)
    if not same_colours(colour, found):
        raise LeftAlone(Reason.VERIFY_FAILED, f"colours differ: {colour} became {found}")
