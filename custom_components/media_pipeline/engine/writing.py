"""Small files of ours that are written together: their flushes then share the disk's work."""

import os
from pathlib import Path
from threading import Lock
from typing import Final, Self

_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC


class Names:
    """Names that files are being written for now, by whatever thread."""

    def __init__(self) -> None:
        """None yet."""
        self._taken: set[Path] = set()
        self._lock = Lock()

    def take(self, name: Path) -> bool:
        """False when somebody writes a file of that name."""
        with self._lock:
            if name in self._taken:
                return False
            self._taken.add(name)
            return True

    def leave(self, names: list[Path]) -> None:
        """They are written, or will not be."""
        with self._lock:
            self._taken.difference_update(names)


class Writing:
    """Files that get their names when all of them are flushed, at the end of a ``with`` block.

    Blocking, for one thread. Raises OSError; files without their names are then dropped.
    """

    def __init__(self, names: Names) -> None:
        """``names`` is shared by all who write into the same folders."""
        self._names = names
        self._taken: list[Path] = []
        self._open: list[tuple[int, Path, Path]] = []

    def take(self, name: Path) -> bool:
        """Have a name to oneself until the end of the block; False when somebody else has it."""
        if not self._names.take(name):
            return False
        self._taken.append(name)
        return True

    def add(self, name: Path, data: bytes) -> None:
        """Write a hidden file beside ``name``, which was taken, and take its place in the end."""
        temp = name.with_name(f".{name.name}.mp-part")
        try:
            fd = os.open(temp, _FLAGS, 0o666)
        except FileNotFoundError:
            # the files themselves may lie elsewhere, adopted where another program put them
            temp.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(temp, _FLAGS, 0o666)
        self._open.append((fd, temp, name))
        left = memoryview(data)
        while left:
            left = left[os.write(fd, left) :]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        without_name = [temp for _, temp, _ in self._open]
        try:
            if kind is None:
                for fd, _, _ in self._open:
                    os.fsync(fd)
                for _, temp, name in self._open:
                    temp.replace(name)
                    without_name.remove(temp)
        finally:
            try:
                for fd, _, _ in self._open:
                    os.close(fd)
                for temp in without_name:
                    temp.unlink(missing_ok=True)
            finally:  # a disk in trouble may raise here, too, and names must not stay taken
                self._names.leave(self._taken)
