"""Telling of lost files without an event for each: a disk that died loses thousands."""

from collections import Counter

from ..catalog.manifests import ARCHIVE
from ..model import EngineEvent


class Losses:
    """Counts what one run finds; the first of a kind is told of at once, the others at the end."""

    def __init__(self) -> None:
        """Nothing is lost."""
        self._told: set[tuple[str, str]] = set()
        self._waiting: Counter[tuple[str, str]] = Counter()

    def note(self, place: str, reason: str) -> EngineEvent | None:
        """One file is lost at a place (a target's id, or ``archive``); what to tell now, if any."""
        key = (place, reason)
        if key in self._told:
            self._waiting[key] += 1
            return None
        self._told.add(key)
        return _event(place, reason, 1)

    def rest(self) -> list[EngineEvent]:
        """What was not told of yet."""
        events = [_event(*key, count) for key, count in self._waiting.items()]
        self._waiting.clear()
        return events


def _event(place: str, reason: str, files: int) -> EngineEvent:
    if place == ARCHIVE:
        return EngineEvent("archive_damaged", {"reason": reason, "files": files})
    return EngineEvent("copy_lost", {"target_id": place, "reason": reason, "files": files})
