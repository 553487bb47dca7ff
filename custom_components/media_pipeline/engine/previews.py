"""Previews of archived files, made when somebody looks, kept up to a limit."""

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Final

from .archive import Archive, os_error
from .errors import MediaUnreadable, PipelineError
from .media.pool import MediaPool

FOLDER: Final = ".media_pipeline/previews"
_KEEP: Final = 0.9  # of the limit, after the oldest were removed
_MOST_FAILURES: Final = 1000


class Previews:
    """A cache in the archive's hidden folder, by the content's hash; used on the engine's loop.

    The one that was looked at longest ago goes first.
    """

    def __init__(self, archive: Archive, pool: MediaPool, limit: int) -> None:
        """``limit`` is in bytes."""
        self._archive = archive
        self._pool = pool
        self._limit = limit
        self._size: int | None = None
        self._under_way: dict[Path, asyncio.Task[None]] = {}
        self._failed: dict[Path, str] = {}

    async def get(self, source: Path, sha256: str, side: int) -> Path:
        """A JPEG of an archived file that fits a square of ``side`` pixels.

        Raises MediaUnreadable (also when it was tried before), FileVanished, the errors of the
        archive and those of ``MediaPool.preview``.
        """
        place = self._archive.root / FOLDER / str(side) / sha256[:2] / f"{sha256}.jpg"
        if place in self._failed:
            raise MediaUnreadable(self._failed[place])
        if await asyncio.to_thread(_touch, place):
            return place
        task = self._under_way.get(place)
        if task is None:
            task = asyncio.create_task(self._make(source, place, side))
            self._under_way[place] = task
            task.add_done_callback(lambda _: self._under_way.pop(place, None))
        await asyncio.shield(task)
        return place

    async def close(self) -> None:
        """Stop what is being made."""
        for task in self._under_way.values():
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _make(self, source: Path, place: Path, side: int) -> None:
        try:
            await asyncio.to_thread(self._prepare, place)
            await self._pool.preview(source, place, side)
            await asyncio.to_thread(self._made, place)
        except OSError as err:
            raise os_error(err, self._archive.root) from err
        except PipelineError as err:
            if isinstance(err, MediaUnreadable) and len(self._failed) < _MOST_FAILURES:
                self._failed[place] = err.detail
            raise

    def _prepare(self, place: Path) -> None:
        self._archive.check()
        self._archive.need(0)
        place.parent.mkdir(parents=True, exist_ok=True)

    def _made(self, place: Path) -> None:
        if self._size is None:
            self._size = sum(size for _, size, _ in self._all())
        else:
            self._size += place.stat().st_size
        if self._size > self._limit:
            self._shrink(place)

    def _shrink(self, newest: Path) -> None:
        left = 0
        files = sorted(self._all(), reverse=True)
        for _, size, path in files:
            if path == newest or left + size <= self._limit * _KEEP:
                left += size
            else:
                path.unlink(missing_ok=True)
        self._size = left

    def _all(self) -> list[tuple[int, int, Path]]:
        """(last looked at, bytes, path) of all previews."""
        found = []
        for path in (self._archive.root / FOLDER).glob("*/*/*.jpg"):
            with contextlib.suppress(FileNotFoundError):
                stat = path.stat()
                found.append((stat.st_mtime_ns, stat.st_size, path))
        return found


def _touch(path: Path) -> bool:
    """Note that a preview is looked at; False when there is none."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    except OSError:  # a read-only archive: it can still be looked at
        return path.exists()
    return True
