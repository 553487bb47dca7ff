"""Small files that wait for the same target at the same time go there in one stream."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from .base import CopiesThere, DeliversMany, Delivery, Shipment, Target

SMALL: Final = 4 << 20
"""Bytes up to which a file counts as small; all of it is read at once."""
_FEWEST: Final = 8
"""Fewer files than this are sent one by one."""
_MOST: Final = 500
_MOST_BYTES: Final = 64 << 20
_STREAMS: Final = 2
"""While one batch is hashed and published at the other side, the next one is on its way."""
_GATHER_SECONDS: Final = 0.05
_GATHER_ROUNDS: Final = 10


@dataclass(slots=True)
class _Waiting:
    item: Shipment
    on_bytes: Callable[[int], None] | None
    done: asyncio.Future[Delivery]


class Together:
    """A target's ``deliver`` for many callers at once. Use as a context manager.

    A target that does not take many files in one go gets them one by one.
    """

    def __init__(
        self,
        target: Target,
        parallel: int,
        before_batch: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """``parallel`` files are sent one by one at a time; ``before_batch`` may hold one up."""
        self._target = target
        self._many = target if isinstance(target, DeliversMany) else None
        self._parallel = parallel
        self._slots = asyncio.Semaphore(max(1, parallel))
        self._before_batch = before_batch
        self._waiting: deque[_Waiting] = deque()
        self._workers: set[asyncio.Task[None]] = set()

    @property
    def callers(self) -> int:
        """How many callers of ``deliver`` at a time are of use."""
        if self._many is not None and self._many.takes_many:
            return _MOST * _STREAMS + self._parallel
        return self._parallel

    @property
    def copies_there(self) -> bool:
        """Whether ``deliver`` has a use for a ``twin`` now."""
        return isinstance(self._target, CopiesThere) and self._target.copies_there

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    async def deliver(
        self,
        source: Path,
        path: str,
        *,
        size: int,
        sha256: str,
        mtime: float,
        replace: bool = False,
        twin: str | None = None,
        on_bytes: Callable[[int], None] | None = None,
    ) -> Delivery:
        """See ``Target.deliver``, and for ``twin`` ``CopiesThere.deliver_twin``."""
        item = Shipment(source, path, size, sha256, mtime)
        if twin is not None and not replace and isinstance(self._target, CopiesThere):
            async with self._slots:
                return await self._target.deliver_twin(item, twin, on_bytes=on_bytes)
        if replace or size > SMALL or self._many is None or not self._many.takes_many:
            return await self._alone(item, on_bytes, replace=replace)
        waiting = _Waiting(item, on_bytes, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if len(self._workers) < _STREAMS:
            worker = asyncio.create_task(self._work(self._many))
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)
        return await waiting.done

    async def _alone(
        self, item: Shipment, on_bytes: Callable[[int], None] | None, *, replace: bool = False
    ) -> Delivery:
        async with self._slots:
            return await self._target.deliver(
                item.source,
                item.path,
                size=item.size,
                sha256=item.sha256,
                mtime=item.mtime,
                replace=replace,
                on_bytes=on_bytes,
            )

    async def _work(self, many: DeliversMany) -> None:
        while self._waiting:
            await self._gather()
            batch = self._take()
            try:
                if self._before_batch is not None:
                    await self._before_batch()
                await self._send(many, batch)
            except asyncio.CancelledError:
                for waiting in batch:
                    waiting.done.cancel()
                raise
            except Exception as err:  # noqa: BLE001 - it is the callers' to judge
                for waiting in batch:
                    if not waiting.done.done():
                        waiting.done.set_exception(err)

    async def _gather(self) -> None:
        """Wait a moment for more, while more comes."""
        for _ in range(_GATHER_ROUNDS):
            before = len(self._waiting)
            if before >= _MOST:
                return
            await asyncio.sleep(_GATHER_SECONDS)
            if len(self._waiting) <= before:
                return

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size = 0
        while self._waiting and len(batch) < _MOST:
            if batch and size + self._waiting[0].item.size > _MOST_BYTES:
                break
            waiting = self._waiting.popleft()
            if not waiting.done.done():  # its caller may have been cancelled
                batch.append(waiting)
                size += waiting.item.size
        return batch

    async def _send(self, many: DeliversMany, batch: list[_Waiting]) -> None:
        left = batch
        if len(batch) >= _FEWEST:
            items = [waiting.item for waiting in batch]
            results = await many.deliver_many(items, on_bytes=batch[0].on_bytes)
            left = []
            for waiting, result in zip(batch, results, strict=True):
                if waiting.done.done():
                    continue
                if isinstance(result, Delivery):
                    waiting.done.set_result(result)
                elif result is not None:
                    waiting.done.set_exception(result)
                else:
                    left.append(waiting)
        await asyncio.gather(*(self._settle_alone(waiting) for waiting in left))

    async def _settle_alone(self, waiting: _Waiting) -> None:
        try:
            delivery = await self._alone(waiting.item, waiting.on_bytes)
        except Exception as err:  # noqa: BLE001 - it is the caller's to judge
            if not waiting.done.done():
                waiting.done.set_exception(err)
        else:
            if not waiting.done.done():
                waiting.done.set_result(delivery)
