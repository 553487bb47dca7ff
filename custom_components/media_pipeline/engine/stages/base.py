"""The interface of a stage, and the loop that all of them share."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

from ..archive import Archive
from ..catalog.database import Catalog
from ..catalog.failures import Failure
from ..clock import SECOND, now_ms
from ..config import EngineConfig
from ..control import Control, Progress
from ..errors import (
    ActionError,
    CatalogUnusable,
    CorruptError,
    FileVanished,
    NeedsUserError,
    OutcomeUnknown,
    PermanentError,
    PipelineError,
    TargetUnavailableError,
    ThrottledError,
)
from ..media.pool import MediaPool
from ..model import EngineEvent, Stage
from ..sources.base import Source
from .losses import Losses
from .queue import Queue

if TYPE_CHECKING:
    from ..target_hub import TargetHub
    from .brake import Tally

_LOGGER = logging.getLogger(__name__)
_SHORT_WAIT = 120.0
# An item that failed is waited for when its next try is this near (milliseconds).
_PATIENCE = 8 * SECOND


@dataclass(slots=True)
class StageContext:
    """What a stage works with."""

    config: EngineConfig
    catalog: Catalog
    archive: Archive
    source: Source
    targets: TargetHub
    media: MediaPool
    control: Control
    progress: Progress
    report: Callable[[EngineEvent], None]
    problems: dict[str, PipelineError] = field(default_factory=dict)
    """What held a stage up: subject (``source`` or a target id) → error."""
    running: set[Stage] = field(default_factory=set)
    """Stages of this run that may still make work for later ones."""
    losses: Losses = field(default_factory=Losses)
    """Lost copies and damaged files that this run found."""
    tallies: dict[str, Tally] = field(default_factory=dict)
    """What was looked at and found wrong, by place."""
    started: int = field(default_factory=now_ms)
    """When this run began."""
    prove_all: bool = False
    """True when everything is to be proven, however new its proof is."""

    def problem(self, subject: str, error: PipelineError) -> None:
        """Remember what holds something up; logged once per run and subject.

        A catalog that can't be used is nobody's problem but the run's, and ends it.
        """
        if isinstance(error, CatalogUnusable) and subject != "run":
            raise error
        if subject not in self.problems:
            _LOGGER.warning("%s: %s (%s)", subject, error.key, error.detail)
        self.problems[subject] = error


class StageRunner(Protocol):
    """One stage."""

    stage: Stage

    async def run(self, context: StageContext) -> None:
        """Work until nothing is left and no earlier stage can make more."""
        ...


def failure_of(error: Exception) -> Failure:
    """What an error means for the next try of the item it hit.

    One that is none of ours is a defect, which costs the item it happened to and not the run.
    """
    if not isinstance(error, PipelineError):
        _LOGGER.error("an item failed in a way nobody thought of", exc_info=error)
        return Failure("unknown", final=False, counts=True)
    return Failure(
        key=error.key,
        final=isinstance(error, PermanentError) and not isinstance(error, ActionError),
        counts=isinstance(error, CorruptError | FileVanished | ActionError),
        forever=isinstance(error, OutcomeUnknown),
    )


def stops_stage(error: Exception) -> bool:
    """True for errors that hit every item alike: the stage pauses instead of trying each."""
    return isinstance(
        error, NeedsUserError | TargetUnavailableError | ThrottledError | CatalogUnusable
    )


async def drain[T](
    context: StageContext,
    *,
    fetch: Callable[[int, int, Collection[int]], Awaitable[Sequence[T]]],
    handle: Callable[[T], Awaitable[None]],
    identify: Callable[[T], int],
    parallel: int,
    more_may_come: Callable[[], bool],
) -> None:
    """Keep ``parallel`` items in work until the catalog has no more and nobody makes any.

    ``fetch(now, limit, skip)`` asks the catalog for what may be tried at ``now``; ``handle``
    settles one item and raises only what stops the stage (see ``stops_stage``): that cancels the
    items under way, which keep what they have for the next run.
    """
    queue = Queue(fetch)
    in_work: dict[int, asyncio.Task[None]] = {}
    finished: list[int] = []
    news = asyncio.Event()

    def settle(key: int, _: asyncio.Task[None]) -> None:
        finished.append(key)
        news.set()

    try:
        while True:
            await context.control.checkpoint()
            room = parallel - len(in_work)
            # asked for before looking, so that work made meanwhile is not missed
            expecting = more_may_come()
            batch = await queue.take(room, in_work) if room > 0 else None
            for item in batch or ():
                key = identify(item)
                in_work[key] = asyncio.ensure_future(handle(item))
                in_work[key].add_done_callback(partial(settle, key))
            if not in_work:
                if batch is None:
                    await queue.rest()
                    continue
                if not expecting and not await queue.anything_by(now_ms() + _PATIENCE):
                    return
                await context.control.wait_for_work(1.0)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await news.wait()
            news.clear()
            while finished:
                in_work.pop(finished.pop(0)).result()
    finally:
        for task in in_work.values():
            task.cancel()
        if in_work:
            await asyncio.gather(*in_work.values(), return_exceptions=True)


async def gate_open(context: StageContext, target_id: str, feeders: Collection[Stage]) -> bool:
    """Wait while a target's gate is closed and one of ``feeders`` may still make work for it."""
    while not context.targets.may_use(target_id):
        if context.running.isdisjoint(feeders):
            return False
        await context.control.wait_for_work(1.0)
    return True


async def patiently[T](context: StageContext, ask: Callable[[], Awaitable[T]]) -> T:
    """Ask again after a short "slow down". Raises ThrottledError when it is a long one."""
    while True:
        try:
            return await ask()
        except ThrottledError as err:
            if not await wait_out(context, err):
                raise


async def wait_out(context: StageContext, error: ThrottledError) -> bool:
    """Wait as long as the other side asked; False when that is too long for this run."""
    if error.retry_after > _SHORT_WAIT:
        return False
    _LOGGER.info("asked to slow down, waiting %.0f s", error.retry_after)
    await asyncio.sleep(error.retry_after)
    await context.control.checkpoint()
    return True
