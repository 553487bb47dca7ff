"""Fetching within this process: for folders, and where no child process can be had."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from ..checksums import Digest
from ..errors import SourceUnreachable
from ..sources.base import Download
from .answers import check_total
from .order import Order, Proof
from .part import PIECE, Part
from .prove import prove
from .traffic import Traffic

type Fetch = Callable[[str, int], AbstractAsyncContextManager[Download]]


async def stream(fetch: Fetch, order: Order, traffic: Traffic) -> Proof:
    """Bring what the part file lacks, and prove the whole; see ``Source.save``.

    Few changes of threads: for a photo they cost as much as its bytes.
    """
    part = await asyncio.to_thread(
        Part.resume, Path(order.part), order.size, apple=order.apple is not None
    )
    try:
        last: list[bytes] = []
        if part.digest.size < order.size or order.size == 0:
            async with traffic.turns:
                last = await _receive(fetch, order, part, traffic)
        return await asyncio.to_thread(_finish, order, part, last)
    finally:
        if not part.closed:
            await asyncio.shield(asyncio.to_thread(part.close))


async def _receive(fetch: Fetch, order: Order, part: Part, traffic: Traffic) -> list[bytes]:
    """The last bytes are returned and not in the part yet."""
    held: list[bytes] = []
    async with fetch(order.url, part.digest.size) as download:
        check_total(download.offset, download.total, order.size)
        if download.offset != part.digest.size:
            await asyncio.to_thread(part.restart)
        size = 0
        try:
            async for piece in download.pieces:
                if size >= PIECE:
                    await asyncio.to_thread(part.write, held)
                    held, size = [], 0
                    await traffic.control.checkpoint()
                held.append(piece)
                size += len(piece)
                traffic.on_bytes(len(piece))
                if part.digest.size + size > order.size:
                    break  # which is found out by comparing
                await traffic.bandwidth.take(len(piece))
        except SourceUnreachable:
            await asyncio.to_thread(part.write, held)  # so that the next try goes on from here
            raise
    return held


def _finish(order: Order, part: Part, last: list[bytes]) -> Proof:
    digest: Digest = part.finish(last)
    return prove(order, digest)
