"""A local file that bytes from a target are written to."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from ..errors import LocalWriteFailed


class Landing:
    """Blocking. Use as a context manager: the file is flushed at the end, or gone after an error.

    Raises LocalWriteFailed, also when the file exists already.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def __enter__(self) -> Self:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._fd = os.open(self._path, flags, 0o666)
        except OSError as err:
            raise self._failed(err) from err
        return self

    def write(self, data: bytes | memoryview) -> None:
        """Add bytes, however little the system takes at a time."""
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as err:
            raise self._failed(err) from err

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                os.fsync(self._fd)
        except OSError as err:
            self._remove()
            raise self._failed(err) from err
        finally:
            os.close(self._fd)
        if kind is not None:
            self._remove()

    def _remove(self) -> None:
        with suppress(OSError):
            self._path.unlink()

    def _failed(self, err: OSError) -> LocalWriteFailed:
        return LocalWriteFailed(f"{self._path}: {err}", path=str(self._path))


async def land(
    pieces: AsyncIterator[bytes | memoryview], into: Path, on_bytes: Callable[[int], None] | None
) -> None:
    """Write pieces to the new file ``into``, off the loop. Raises LocalWriteFailed."""
    landing: Landing | None = None
    try:
        # The first piece comes before the file: what is not there leaves nothing here.
        async for piece in pieces:
            if landing is None:
                landing = await asyncio.to_thread(Landing(into).__enter__)
            await asyncio.to_thread(landing.write, piece)
            if on_bytes is not None and piece:
                on_bytes(len(piece))
    except BaseException as err:  # cancelled too: no half file may stay
        if landing is not None:
            await asyncio.to_thread(landing.__exit__, type(err), err, None)
        raise
    if landing is None:
        landing = await asyncio.to_thread(Landing(into).__enter__)
    await asyncio.to_thread(landing.__exit__, None, None, None)
