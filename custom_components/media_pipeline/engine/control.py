"""Pausing and waking: what the stages of a run share besides the catalog."""

import asyncio
from collections import deque
from time import monotonic

from .model import Stage, StageProgress

_RATE_WINDOW = 30.0


class Control:
    """Pause, and "there is new work" between the stages of one run."""

    def __init__(self) -> None:
        """Running, nothing announced."""
        self._going = asyncio.Event()
        self._going.set()
        self._held = asyncio.Event()
        self._changed = asyncio.Event()

    @property
    def paused(self) -> bool:
        """True while the run is held."""
        return not self._going.is_set()

    def pause(self) -> None:
        """Hold at the next checkpoint."""
        self._going.clear()
        self._held.set()

    def resume(self) -> None:
        """Go on."""
        self._held.clear()
        self._going.set()

    async def checkpoint(self) -> None:
        """Wait here while paused."""
        await self._going.wait()

    async def until_paused(self) -> None:
        """Wait here until there is a pause; for who must tell others of it."""
        await self._held.wait()

    def announce(self) -> None:
        """Wake stages that wait for the work of another stage."""
        self._changed.set()

    async def wait_for_work(self, seconds: float) -> None:
        """Until something is announced, at most ``seconds``."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()


class Progress:
    """Counters of one run; ``StageProgress`` is what the outside sees."""

    def __init__(self) -> None:
        """All zero."""
        self._done: dict[Stage, int] = {}
        self._bytes: dict[Stage, int] = {}
        self._failed: dict[Stage, set[int]] = {}
        self._waiting: dict[Stage, tuple[int, int]] = {}
        self._under_way: dict[Stage, dict[int, int]] = {}
        self._moved: deque[tuple[float, int]] = deque()

    def done(self, stage: Stage, size: int = 0, item: int | None = None) -> None:
        """One more item is finished; ``item`` takes back an earlier failure of it."""
        self._done[stage] = self._done.get(stage, 0) + 1
        self._bytes[stage] = self._bytes.get(stage, 0) + size
        if item is not None:
            self._failed.get(stage, set()).discard(item)
            self._under_way.get(stage, {}).pop(item, None)

    def failed(self, stage: Stage, item: int) -> None:
        """An item failed; counted once, until it succeeds."""
        self._under_way.get(stage, {}).pop(item, None)
        self._failed.setdefault(stage, set()).add(item)

    def under_way(self, stage: Stage, item: int, size: int) -> None:
        """So many bytes of an item are done, which is not finished yet."""
        self._under_way.setdefault(stage, {})[item] = size

    def waiting(self, stage: Stage, count: int, size: int) -> None:
        """What the catalog says is still to be done."""
        self._waiting[stage] = (count, size)

    def moved(self, size: int) -> None:
        """Bytes that went over a wire or a disk just now, for the rate."""
        now = monotonic()
        if self._moved and now - self._moved[-1][0] < 0.25:
            at, before = self._moved[-1]
            self._moved[-1] = (at, before + size)
        else:
            self._moved.append((now, size))
        while self._moved and now - self._moved[0][0] > _RATE_WINDOW:
            self._moved.popleft()

    def rate(self) -> float:
        """Bytes per second over the last half minute."""
        if not self._moved:
            return 0.0
        span = max(1.0, monotonic() - self._moved[0][0])
        return sum(size for _, size in self._moved) / span

    def count(self, stage: Stage) -> int:
        """Items finished in a stage."""
        return self._done.get(stage, 0)

    def stages(self) -> dict[Stage, StageProgress]:
        """A frozen copy."""
        result = {}
        for stage in Stage:
            known = (self._done, self._waiting, self._failed, self._under_way)
            if not any(stage in part for part in known):
                continue
            waiting, waiting_bytes = self._waiting.get(stage, (0, 0))
            done, size = self._done.get(stage, 0), self._bytes.get(stage, 0)
            result[stage] = StageProgress(
                done=done,
                total=done + waiting,
                bytes_done=size + sum(self._under_way.get(stage, {}).values()),
                bytes_total=size + waiting_bytes,
                failed=len(self._failed.get(stage, ())),
            )
        return result
