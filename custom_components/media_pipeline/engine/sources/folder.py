"""A folder tree as a source: files that belong together become one asset."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import batched
from pathlib import Path
from typing import Final

from ..config import FolderSourceConfig
from ..errors import FileVanished, NotSupportedBySource, SourceFolderMissing, SourceUnreachable
from ..fetching.order import Order, Proof
from ..fetching.stream import stream
from ..fetching.traffic import Traffic
from ..model import AssetRecord, ChangePage, FreeResult, Usage
from .base import Download, FreeRequest
from .folder_scan import Scanner

_PAGE: Final = 200
_PIECE: Final = 1 << 20


class FolderSource:
    """Every walk is a full one; a file's size and time are its change tag."""

    kind = "folder"
    can_free = False

    def __init__(self, config: FolderSourceConfig) -> None:
        self._path = config.path
        self._scanner = Scanner(config.path)

    async def open(self) -> None:
        """Raises SourceFolderMissing."""
        if not await asyncio.to_thread(self._path.is_dir):
            raise SourceFolderMissing(path=str(self._path))

    async def close(self) -> None:
        """Nothing is held open."""

    async def walk(self, cursor: Mapping[str, str]) -> AsyncIterator[ChangePage]:
        """All assets; ``cursor`` is not needed. Files that may still be growing are left out."""
        await self.open()
        pages: Iterator[tuple[AssetRecord, ...]] = batched(
            self._scanner.assets(), _PAGE, strict=False
        )
        started = False
        while True:
            try:
                assets = await asyncio.to_thread(next, pages, None)
            except OSError as error:
                raise SourceUnreachable(f"the folder can't be read: {error.strerror}") from error
            if assets is None:
                break
            yield ChangePage(assets=assets, started_walk=not started)
            started = True
        await self.open()  # a mount that vanished meanwhile looks like an empty folder
        yield ChangePage(started_walk=not started, complete_walk=True)

    async def lookup(
        self, keys: Sequence[str], *, urgent: bool = False
    ) -> dict[str, AssetRecord | None]:
        """Fresh looks at the files; None for assets whose first file is gone."""
        await self.open()
        try:
            return await asyncio.to_thread(self._scanner.lookup, keys)
        except OSError as error:
            raise SourceUnreachable(f"the folder can't be read: {error.strerror}") from error

    def fetch(self, url: str, offset: int = 0) -> AbstractAsyncContextManager[Download]:
        """Read a file of the folder. Raises FileVanished, SourceUnreachable."""
        return self._fetch(url, offset)

    @asynccontextmanager
    async def _fetch(self, url: str, offset: int) -> AsyncIterator[Download]:
        path = Path(url)
        if not path.is_relative_to(self._path) or ".." in path.parts:
            raise FileVanished("outside of the folder")
        try:
            file = await asyncio.to_thread(path.open, "rb", 0)
        except FileNotFoundError as error:
            raise FileVanished from error
        except OSError as error:
            raise SourceUnreachable(f"can't be read: {error.strerror}") from error

        async def pieces() -> AsyncIterator[bytes]:
            try:
                await asyncio.to_thread(file.seek, offset)
                while data := await asyncio.to_thread(file.read, _PIECE):
                    yield data
            except OSError as error:
                raise SourceUnreachable(f"can't be read: {error.strerror}") from error

        try:
            size = (await asyncio.to_thread(path.stat)).st_size
            yield Download(offset, size, pieces())
        finally:
            await asyncio.to_thread(file.close)

    async def save(self, order: Order, traffic: Traffic) -> Proof:
        """Within this process: a disk is no faster for more of them."""
        return await stream(self._fetch, order, traffic)

    async def rest(self) -> None:
        """Nothing is held open."""

    async def free(self, requests: Sequence[FreeRequest]) -> list[FreeResult]:
        """A folder frees nothing."""
        raise NotSupportedBySource

    async def restore(self, keys: Sequence[str]) -> list[FreeResult]:
        """A folder restores nothing."""
        raise NotSupportedBySource

    async def count(self) -> int | None:
        """Not known without a walk."""
        return None

    async def counts(self) -> dict[str, int]:
        """Not known without a walk."""
        return {}

    async def roll(self) -> AsyncIterator[dict[str, str]]:
        """A folder is walked as a whole each time."""
        raise NotSupportedBySource
        yield {}

    async def usage(self) -> Usage | None:
        """Not ours to say."""
        return None
