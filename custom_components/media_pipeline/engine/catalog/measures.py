"""How long compressing took and what it saved, and from that what the rest will take."""

import json
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import Connection, func, select

from ..media.jobs import LEFT_ALONE, MediaKind
from ..model import CompressState, KindEstimate, ResourceState, Role
from .schema import resources
from .store import get_values, set_values

_KEY: Final = "measure/"
_MUCH: Final = 2_000_000_000
"""Bytes after which older work counts half: machines and settings change."""
_FILMS: Final = frozenset({"mov", "mp4"})


@dataclass(frozen=True, slots=True)
class Measure:
    """Work that was done: processor seconds, bytes that went in, bytes that were saved."""

    seconds: float
    bytes: int
    saved: int


# Before anything was measured: on one core of a server, 8 to 12 MP photos and films of an iPhone.
_GUESS: Final[dict[MediaKind, Measure]] = {
    "photo": Measure(0.26, 1_000_000, 360_000),
    "video": Measure(3.0, 1_000_000, 700_000),
}


def add(connection: Connection, kind: MediaKind, new: Measure) -> None:
    """Count the work on one file."""
    before = _measured(connection).get(kind, Measure(0.0, 0, 0))
    share = 0.5 if before.bytes > _MUCH else 1.0
    total = Measure(
        round(before.seconds * share + new.seconds, 3),
        round(before.bytes * share) + new.bytes,
        round(before.saved * share) + new.saved,
    )
    set_values(connection, _KEY, {kind: json.dumps(asdict(total))})


def _measured(connection: Connection) -> dict[str, Measure]:
    return {
        kind: Measure(**json.loads(text)) for kind, text in get_values(connection, _KEY).items()
    }


def estimate(connection: Connection) -> dict[MediaKind, KindEstimate]:
    """What compress has to look at in the archive, by kind; seconds are of one processor.

    Without the kinds of file that are always left alone.
    """
    rows = connection.execute(
        select(
            resources.c.container.in_(_FILMS).label("film"),
            func.count(),
            func.coalesce(func.sum(resources.c.size), 0),
        )
        .where(
            resources.c.current,
            resources.c.state == ResourceState.ARCHIVED,
            resources.c.compress == CompressState.PENDING,
            resources.c.role != Role.LIVE_VIDEO,
            resources.c.container.not_in(LEFT_ALONE),
        )
        .group_by("film")
    )
    waiting = {bool(film): (int(files), int(size)) for film, files, size in rows}
    measured = _measured(connection)
    found: dict[MediaKind, KindEstimate] = {}
    for kind, guess in _GUESS.items():
        files, size = waiting.get(kind == "video", (0, 0))
        known = measured.get(kind)
        rate = known if known is not None and known.bytes else guess
        found[kind] = KindEstimate(
            files=files,
            bytes=size,
            seconds=size * rate.seconds / rate.bytes,
            saved_bytes=round(size * rate.saved / rate.bytes),
            measured=rate is known,
        )
    return found
