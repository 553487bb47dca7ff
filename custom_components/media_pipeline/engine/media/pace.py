"""How many children work at a time, and when they rest: the machine's other work comes first."""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable

from .strain import Reading, Sensors, Strain

_LOGGER = logging.getLogger(__name__)
_LOOK = 5.0  # seconds between two looks at the machine
_SPARE_MEMORY = 512 << 20
_WORKER_MEMORY = 600 << 20  # a film in 1080p takes about as much


class Hold:
    """Reasons for which work rests; it goes on when the last one is gone."""

    def __init__(self) -> None:
        """Nothing rests."""
        self._reasons: set[str] = set()
        self.begun = asyncio.Event()
        self.over = asyncio.Event()
        self.over.set()

    @property
    def reasons(self) -> frozenset[str]:
        """Why work rests; empty while it goes on."""
        return frozenset(self._reasons)

    def put(self, reason: str) -> None:
        """Let work rest."""
        self._reasons.add(reason)
        self.over.clear()
        self.begun.set()

    def lift(self, reason: str) -> None:
        """Take one reason away."""
        self._reasons.discard(reason)
        if not self._reasons:
            self.begun.clear()
            self.over.set()


class Pace:
    """Gives turns to work, first come first served.

    ``workers`` is the most at a time, by default one for each processor. With ``sense``, fewer get
    a turn while others use the processors or memory is scarce (one always may), and all rest while
    the machine is hot or busy. What rests is also stopped in the middle, see ``child``.
    """

    def __init__(
        self, workers: int | None = None, sense: Callable[[], Reading] | None = None
    ) -> None:
        """Nobody has a turn."""
        self.hold = Hold()
        self.workers = workers or os.process_cpu_count() or 1
        self._sense = sense
        self._strain = Strain()
        self._limit = self.workers
        self._running = 0
        self._here = 0
        self._door = asyncio.Lock()
        self._changed = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None

    @property
    def resting(self) -> str | None:
        """What about the machine makes work rest: ``hot``, ``busy`` or nothing."""
        return self._strain.reason

    @classmethod
    def gentle(cls) -> Pace:
        """One that looks at this machine."""
        return cls(sense=Sensors().read)

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until this work may begin; it has a turn until the block is left."""
        self._here += 1
        if self._sense is not None and self._watcher is None:
            self._watcher = asyncio.create_task(self._watch(self._sense))
        try:
            async with self._door:
                await self.hold.over.wait()
                while self._running >= self._limit or self.hold.reasons:
                    self._changed.clear()
                    await self._changed.wait()
                self._running += 1
            try:
                yield
            finally:
                self._running -= 1
                self._changed.set()
        finally:
            self._here -= 1

    def put(self, reason: str) -> None:
        """Let all work rest; see ``Hold``."""
        self.hold.put(reason)

    def lift(self, reason: str) -> None:
        """Take one reason for resting away."""
        self.hold.lift(reason)
        self._changed.set()

    def lift_all(self) -> None:
        """Take all reasons for resting away."""
        for reason in self.hold.reasons:
            self.lift(reason)

    async def close(self) -> None:
        """Stop looking at the machine."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)

    async def _watch(self, sense: Callable[[], Reading]) -> None:
        """Look at the machine as long as anybody works or waits."""
        try:
            while self._here:
                reading = await asyncio.to_thread(sense)
                self._limit = self._room(reading)
                before, reason = self._strain.reason, self._strain.judge(reading)
                if before and before != reason:
                    self.lift(before)
                if reason and before != reason:
                    _LOGGER.info("compressing rests: the machine is %s", reason)
                    self.put(reason)
                self._changed.set()
                await asyncio.sleep(_LOOK)
        finally:
            self._watcher = None
            if self._strain.reason:
                self.lift(self._strain.reason)
            self._strain = Strain()

    def _room(self, reading: Reading) -> int:
        """How many may work now, going by what others use and the memory that is left."""
        room = self.workers
        if reading.others is not None:
            room = round(self.workers * (1 - reading.others))
        if reading.memory_free is not None:
            more = (reading.memory_free - _SPARE_MEMORY) // _WORKER_MEMORY
            room = min(room, self._running + more)
        return max(1, min(room, self.workers))
