"""The child processes that fetch: no byte of a download passes through Home Assistant's process.

Python runs one thread of a process at a time. TLS, checksums and writing in children use the other
processors, and leave this one to Home Assistant.
"""

import asyncio
import logging
import os
from typing import Final

from ..children import start_command
from .child import Child
from .connections import knows_the_way
from .order import Order, Proof
from .stream import Fetch, stream
from .traffic import Traffic

_LOGGER = logging.getLogger(__name__)
_MOST: Final = 2
_ENOUGH_FOR_ONE: Final = 4
"""So many downloads before a second child is worth its memory."""
_DEATHS: Final = 6
"""So many in a run, and the rest of it is fetched within this process."""


class Fetchers:
    """Starts children when there is something to fetch. One loop; one run at a time."""

    def __init__(self, fetch: Fetch, command: tuple[str, ...] | None = None) -> None:
        """``fetch`` does it within this process; ``command`` starts a child."""
        self._fetch = fetch
        self._command = command or start_command("engine.fetching.worker")
        self._children: list[Child] = []
        self._starting = asyncio.Lock()
        self._deaths = 0
        self._following: asyncio.Task[None] | None = None

    @property
    def pids(self) -> list[int]:
        """Of the children that live."""
        return [child.pid for child in self._children if not child.gone]

    async def save(self, order: Order, traffic: Traffic) -> Proof:
        """See ``Source.save``."""
        child = await self._pick(traffic)
        if child is None:
            return await stream(self._fetch, order, traffic)
        return await child.fetch(order)

    async def close(self) -> None:
        """End all children; later downloads start new ones."""
        async with self._starting:
            children, self._children, self._deaths = self._children, [], 0
            following, self._following = self._following, None
        if following is not None:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        await asyncio.gather(*(child.close() for child in children))

    async def _pick(self, traffic: Traffic) -> Child | None:
        """The child with the least to do; None when there can be none."""
        async with self._starting:
            self._bury()
            if self._deaths >= _DEATHS or not knows_the_way():
                return None
            most = _how_many(traffic)
            least = min(self._children, key=lambda child: child.jobs, default=None)
            if least is None or (len(self._children) < most and least.jobs >= _ENOUGH_FOR_ONE):
                least = await self._start(traffic, -(-traffic.connections // most)) or least
            return least

    async def _start(self, traffic: Traffic, connections: int) -> Child | None:
        try:
            child = await Child.start(
                self._command, connections, traffic.bandwidth.rate, traffic.on_bytes
            )
        except OSError as err:
            self._deaths += 1
            _LOGGER.warning("a download process can't be started: %s", err.strerror)
            return None
        child.pause(traffic.control.paused)
        self._children.append(child)
        if self._following is None:
            self._following = asyncio.create_task(self._follow(traffic))
        return child

    def _bury(self) -> None:
        gone = [child for child in self._children if child.gone]
        if not gone:
            return
        self._children = [child for child in self._children if not child.gone]
        self._deaths += len(gone)
        _LOGGER.warning("a download process %s; its downloads go on in another", gone[0].why)
        if self._deaths >= _DEATHS:
            _LOGGER.warning("that was too often: the rest is fetched without such processes")

    async def _follow(self, traffic: Traffic) -> None:
        """Carry pauses to the children."""
        while True:
            await traffic.control.until_paused()
            for child in self._children:
                child.pause(True)
            await traffic.control.checkpoint()
            for child in self._children:
                child.pause(False)


def _how_many(traffic: Traffic) -> int:
    # a limit is kept by one child for all downloads, and needs no second processor
    wanted = 1 if traffic.bandwidth.rate is not None else _MOST
    return max(1, min(wanted, os.process_cpu_count() or 1, traffic.connections))
