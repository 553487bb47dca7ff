"""The creation date in a film's own header (``mvhd``), written after the muxer is done.

Asked to keep both Apple's tags and the creation date, FFmpeg writes the date twice, and reading
gives "date;date". So the date is kept from the muxer and put where it belongs.
"""

from datetime import UTC, datetime
from pathlib import Path

from .boxes import boxes
from .data import Data

_EPOCH = datetime(1904, 1, 1, tzinfo=UTC)


def stamp_creation(path: Path, moment: str | None) -> None:
    """Set when the film was made (ISO 8601); does nothing without a date that makes sense.

    Raises BrokenContainer for a file that isn't a film, and OSError.
    """
    seconds = holds(moment)
    if seconds is None:
        return
    with path.open("r+b") as file:
        data = Data(file)
        for outer in boxes(data, 0, len(data)):
            if outer.kind != b"moov":
                continue
            for box in boxes(data, outer.start, outer.end):
                if box.kind == b"mvhd":
                    width = 8 if data.number(box.start, 1) == 1 else 4
                    file.seek(box.start + 4)
                    file.write(seconds.to_bytes(width, "big") * 2)
                    return


def holds(moment: str | None) -> int | None:
    """Seconds since 1904 in UTC, as the container counts; None for what it can't hold."""
    try:
        made = datetime.fromisoformat(moment or "")
    except ValueError:
        return None
    if made.tzinfo is None:
        made = made.replace(tzinfo=UTC)
    seconds = int((made - _EPOCH).total_seconds())
    return seconds if 0 < seconds < 1 << 32 else None
