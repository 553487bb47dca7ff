"""Bringing files back: what is asked for, and how it went."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DrillResult:
    """What a restore drill at one target brought back."""

    target_id: str
    files: int
    """Tried; 0 when the target did not answer, or holds nothing proven."""
    passed: int
    bytes: int
    error: str | None = None
    """Key of the first error."""

    @property
    def score(self) -> float | None:
        """Share of files that came back as they were sent, 0 to 100; None when none was tried."""
        return 100.0 * self.passed / self.files if self.files else None


@dataclass(frozen=True, slots=True)
class RestoreChoice:
    """Which assets to restore; all that is given must hold."""

    filename: str | None = None
    """Name at the source, any case; ``*`` and ``?`` stand for anything."""
    since: int | None = None
    """Captured then or later."""
    until: int | None = None
    """Captured earlier."""
    album: str | None = None
    """Name of an album, any case."""
    library: str | None = None
    favorites: bool = False


@dataclass(frozen=True, slots=True)
class RestoreRequest:
    """What to restore, and where to."""

    folder: Path
    choice: RestoreChoice
    limit: int
    """The most assets; the newest."""
    dry_run: bool = True
    reserve: int = 1 << 30
    """Free space in the folder that is never used up."""


@dataclass(slots=True)
class RestoreReport:
    """How a restore went; filled while it goes on."""

    dry_run: bool
    complete: bool = False
    matched: int = 0
    """Assets that fit."""
    assets: int = 0
    """Assets that were asked for: not more than the limit."""
    files: int = 0
    bytes: int = 0
    restored: int = 0
    restored_bytes: int = 0
    there: int = 0
    """Files whose very bytes lay there already."""
    origins: Counter[str] = field(default_factory=Counter)
    """Where files came from: ``archive``, a target's id; in a dry run also ``nowhere``."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Why files could not be restored: ``not_archived`` (never fetched), ``no_good_copy``."""
