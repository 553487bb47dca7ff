"""What a run shows of itself while it goes on: one line that changes, or a line now and then."""

import shutil
import sqlite3
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import TextIO

from .catalog import bytes_handled
from .places import Places

_WINDOW = 6.0
_QUIET_SECONDS = 3.0

type Lookup = Callable[[str], str]
"""Key of one of the integration's entities → its state; an empty text when there is none."""


def human_bytes(size: float) -> str:
    """A size as people say it."""
    for unit in ("B", "kB", "MB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"


@dataclass(slots=True)
class Live:
    """Writes progress to `out`."""

    out: TextIO
    _moved: deque[tuple[float, int]] = field(default_factory=deque)
    _last: float = 0.0
    _shown: int = 0

    def show(self, text: str) -> None:
        """Replace the line; where lines can't be replaced, write one every few seconds."""
        if self.out.isatty():
            text = text[: shutil.get_terminal_size().columns - 3]
            self.out.write("\r  " + text.ljust(self._shown))
            self._shown = max(self._shown, len(text))
        elif monotonic() - self._last >= _QUIET_SECONDS:
            self._last = monotonic()
            self.out.write("  " + text + "\n")
        self.out.flush()

    def end(self) -> None:
        """Remove the line."""
        if self.out.isatty():
            self.out.write("\r" + " " * (self._shown + 2) + "\r")
            self.out.flush()
        self._shown = 0

    def describe(self, state: Lookup, targets: dict[str, str], places: Places) -> str:
        """The run in one line: all from Home Assistant's entities, except the bytes."""
        parts = [
            f"{state('status'):<8}",
            f"{_number(state('progress')):>3.0f} %",
            f"archived {state('archived_items')}/{state('library_items')}",
        ]
        for name, target_id in targets.items():
            done = _number(state(f"{target_id}_copies"))
            missing = _number(state(f"{target_id}_missing"))
            parts.append(f"{name} {done:.0f}/{done + missing:.0f} proven")
        parts.append(self._rate(places))
        if left := _number(state("time_remaining")):
            parts.append(f"{left * 60:.0f} s left")
        return "  ".join(parts)

    def _rate(self, places: Places) -> str:
        try:
            handled = bytes_handled(places.catalog)
        except sqlite3.Error, FileNotFoundError:
            return ""
        now = monotonic()
        self._moved.append((now, handled))
        while now - self._moved[0][0] > _WINDOW:
            self._moved.popleft()
        since, before = self._moved[0]
        rate = (handled - before) / max(0.5, now - since)
        return f"{human_bytes(handled)} at {human_bytes(rate)}/s"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
