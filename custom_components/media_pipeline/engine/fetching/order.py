"""What is to be fetched, and what was proven about it. Plain data that goes through pipes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Order:
    """One file to bring into its part file."""

    url: str
    """The download address. A secret: never on a command line, never in a log."""
    part: str
    """Path of the part file; what it holds already is read again and continued."""
    size: int
    """The announced length in bytes."""
    apple: str | None
    """The announced checksum where its scheme is known; without one nobody could prove the end."""
    suffix: str
    """The ending of the file's name, which says what its content must be."""
    read_soon: bool = True
    """False when nobody reads the file again soon: it need not stay in memory."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A part file that is whole, proven and flushed to the disk."""

    sha256: str
    container: str
