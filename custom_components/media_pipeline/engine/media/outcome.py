"""What a compressor says to the worker: kept, or left alone and why."""

from dataclasses import dataclass

from .jobs import Reason


@dataclass(frozen=True, slots=True)
class Outcome:
    """``reason`` is ``compressed`` when the smaller file was written; ``size`` is its size.

    ``quality`` is how much it looks like its source, where that was measured.
    """

    reason: Reason
    size: int = 0
    note: str = ""
    quality: float | None = None

    @property
    def kept(self) -> bool:
        """Whether the smaller file is to be kept."""
        return self.reason is Reason.COMPRESSED


class LeftAlone(Exception):
    """Raised deep inside a compressor to leave a file as it is; never leaves the compressor."""

    def __init__(self, reason: Reason, note: str = "", *, quality: float | None = None) -> None:
        super().__init__(f"{reason}: {note}" if note else reason)
        self.reason = reason
        self.note = note
        self.quality = quality


def largest_kept(source_size: int, min_saving: float) -> int:
    """Return how many bytes a result may have to be worth keeping."""
    return int(source_size * (1.0 - min(max(min_saving, 0.0), 0.99)))
