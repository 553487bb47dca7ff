"""Reading objects back: to hash them, and to bring them home.

obstore is imported by whoever made the client, off the loop; here it is there already.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final

from ..errors import TargetUnreachable
from .landing import land
from .object_store_pace import Pace

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_PIECE: Final = 4 << 20
_AHEAD: Final = 2
"""Pieces that are on their way while one is worked on."""


def memory_for(size: int) -> int:
    """Bytes that reading an object of ``size`` bytes holds in memory."""
    return min(size, (_AHEAD + 1) * _PIECE)


async def hash_object(store: ObjectStore, path: str, pace: Pace) -> tuple[str, int]:
    """SHA-256 and size of what lies at a path. Raises what obstore raises."""
    digest = hashlib.sha256()
    size = 0
    async for piece in _pieces(store, path, pace):
        await asyncio.to_thread(digest.update, piece)
        size += len(piece)
    return digest.hexdigest(), size


async def copy_out(
    store: ObjectStore, path: str, into: Path, pace: Pace, on_bytes: Callable[[int], None] | None
) -> None:
    """Write an object to the new local file ``into``; see ``Target.fetch``."""
    await land(_pieces(store, path, pace), into, on_bytes)


async def _pieces(store: ObjectStore, path: str, pace: Pace) -> AsyncIterator[memoryview]:
    """The object's bytes in order, a few pieces asked for ahead; all of one and the same object."""
    import obstore

    begun = monotonic()
    whole = await obstore.get_async(store, path)
    size, tag = whole.meta["size"], whole.meta["e_tag"]
    if size <= _PIECE:
        data = memoryview(await whole.bytes_async())
        pace.arrived(len(data), monotonic() - begun)
        if len(data) != size:
            raise TargetUnreachable(f"{path} came cut short", path=path)
        if data:
            yield data
        return
    del whole  # its stream ends here: a large object comes in ranges, each tried again by itself

    async def piece(start: int) -> memoryview:
        begun = monotonic()
        end = min(start + _PIECE, size)
        options: obstore.GetOptions = {"range": (start, end)}
        if tag is not None:
            options["if_match"] = tag
        answer = await obstore.get_async(store, path, options=options)
        data = memoryview(await answer.bytes_async())
        if len(data) != end - start:
            raise TargetUnreachable(f"{path} came cut short", path=path)
        pace.arrived(len(data), monotonic() - begun)
        return data

    starts = iter(range(0, size, _PIECE))
    coming: deque[asyncio.Task[memoryview]] = deque()
    try:
        for start in starts:
            coming.append(asyncio.create_task(piece(start)))
            if len(coming) > _AHEAD:
                yield await coming.popleft()
        while coming:
            yield await coming.popleft()
    finally:
        for task in coming:
            task.cancel()
        await asyncio.gather(*coming, return_exceptions=True)
