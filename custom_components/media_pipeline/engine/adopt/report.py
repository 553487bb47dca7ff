"""What is asked of adopt, and what it answers."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

SAMPLES: Final = 5
"""Paths that are shown per class."""


class Mode(StrEnum):
    """How files outside of the archive may be taken over. Inside of it nothing is moved."""

    LINK = "link"
    """Without taking space: a clone where the file system can, else a hard link."""
    COPY = "copy"
    """A file of our own: a clone where the file system can, else a copy."""


class Way(StrEnum):
    """How files get into the archive from here."""

    IN_PLACE = "in_place"
    CLONE = "clone"
    LINK = "link"
    COPY = "copy"
    NONE = "none"
    """Only copying would work, and that was not asked for."""


class FileClass(StrEnum):
    """What became of a file of the tree. Each ends in exactly one."""

    MATCHED = "matched"
    """Its bytes are wanted; without a dry run: and wait, because adopt was cancelled."""
    ADOPTED = "adopted"
    SPARE = "spare"
    """The same bytes as another file of the tree, which is taken."""
    ARCHIVED = "archived"
    """It lies in the archive as ours, or its bytes do."""
    NOT_READ = "not_read"
    """Nothing wanted has its size, but something archived has; so it was not read."""
    CHANGED = "changed"
    """Named or as large as a wanted file, with other bytes: cut short, edited, date written in."""
    UNPROVEN = "unproven"
    """As large as a wanted file whose checksum is of a kind that can't be recomputed."""
    OTHER = "other"
    """Nothing wanted has its size."""
    CHANGING = "changing"
    """Written to seconds ago, or while it was read."""
    BROKEN = "broken"
    """The wanted bytes, but the photo or video is not whole."""
    NOT_LINKED = "not_linked"
    """Its bytes are wanted, but the file system refuses the link."""
    UNREADABLE = "unreadable"
    """It can't be read, or its name is no text."""
    IGNORED = "ignored"
    """Symbolic links, hidden files, part files, what NAS systems keep beside photos."""


@dataclass(slots=True)
class Tally:
    """A number of files and their bytes."""

    files: int = 0
    bytes: int = 0

    def add(self, size: int) -> None:
        """One more."""
        self.files += 1
        self.bytes += size

    def drop(self, size: int) -> None:
        """One less: it ends in another class after all."""
        self.files -= 1
        self.bytes -= size


@dataclass(frozen=True, slots=True)
class Request:
    """A tree to adopt."""

    root: Path
    mode: Mode = Mode.LINK
    dry_run: bool = True
    kei_database: Path | None = None
    may_read: Callable[[Path], bool] = lambda _: True
    """Whether a file outside of the tree, which only kei's database names, may be read."""


@dataclass(slots=True)
class Report:
    """What was found and done. Paths are in ``samples`` only, relative to the tree."""

    dry_run: bool
    mode: Mode
    way: Way = Way.NONE
    complete: bool = False
    """False when it was cancelled, or something held it up."""
    files: dict[FileClass, Tally] = field(default_factory=dict)
    tools: Counter[str] = field(default_factory=Counter)
    """Files by the tool that seems to have written them."""
    adopted: Tally = field(default_factory=Tally)
    """Files of the source that were taken over, or would be."""
    left: Tally = field(default_factory=Tally)
    """Files of the source that the next run fetches."""
    unproven: Tally = field(default_factory=Tally)
    """Those among them that no local file can be proven to be."""
    read: Tally = field(default_factory=Tally)
    """Files that were read for this report; the others were remembered."""
    samples: dict[FileClass, list[str]] = field(default_factory=dict)
    kei: dict[str, int] = field(default_factory=dict)
    """What kei's database said: ``files``, ``outside``, ``missing``, ``not_allowed``."""
    notes: list[str] = field(default_factory=list)
    """Names of things to know, such as ``kei_database_unreadable``."""

    def put(self, kind: FileClass, path: str, size: int) -> None:
        """Count a file."""
        self.files.setdefault(kind, Tally()).add(size)
        samples = self.samples.setdefault(kind, [])
        if len(samples) < SAMPLES:
            samples.append(path.encode(errors="replace").decode())

    def total(self) -> int:
        """Files of the tree."""
        return sum(tally.files for tally in self.files.values())

    def note(self, name: str) -> None:
        """Say something once."""
        if name not in self.notes:
            self.notes.append(name)
