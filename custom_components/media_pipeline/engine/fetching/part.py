"""The growing file of a download, and the checksums of what it holds."""

import os
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from ..checksums import Digest

PIECE = 2 << 20
"""Bytes that are gathered before they are written: each write costs a change of threads."""


class Part:
    """Blocking. Who is cancelled leaves a thread behind that may still write: calls take turns."""

    def __init__(self, path: Path, *, apple: bool) -> None:
        """``apple`` computes Apple's checksum too."""
        self.path = path
        self.digest = Digest(apple=apple)
        self._apple = apple
        self._file = path.open("ab", buffering=0)
        self._turn = Lock()

    @classmethod
    def resume(cls, path: Path, limit: int, *, apple: bool) -> Part:
        """Open a part file; what it holds already is read again and counted."""
        part = cls(path, apple=apple)
        if path.stat().st_size > limit:
            part.restart()
        else:
            with path.open("rb", buffering=0) as file:
                while data := file.read(PIECE):
                    part.digest.update(data)
        return part

    @property
    def closed(self) -> bool:
        """True after ``finish`` or ``close``."""
        return self._file.closed

    def restart(self) -> None:
        """Forget what was fetched."""
        with self._turn:
            self._file.truncate(0)
            self.digest = Digest(apple=self._apple)

    def write(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Add bytes to the file and to its checksums."""
        with self._turn:
            self._write(pieces)

    def _write(self, pieces: Sequence[bytes | memoryview]) -> None:
        for piece in pieces:
            view = memoryview(piece)
            while view:
                view = view[self._file.write(view) :]
            self.digest.update(piece)

    def finish(self, pieces: Sequence[bytes | memoryview] = ()) -> Digest:
        """Write the last bytes, bring all of it to the disk, and close; what it holds."""
        with self._turn, self._file:
            self._write(pieces)
            os.fsync(self._file.fileno())
        return self.digest

    def close(self) -> None:
        """Leave it for the next try."""
        with self._turn:
            self._file.close()
