"""Running several coroutines together: the first error stops the others and is raised as it is."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any


async def run_together[T](work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run all at once; nothing is left running when this returns or raises."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in work]
    except ExceptionGroup as errors:
        raise _first(errors) from errors.__cause__
    return [task.result() for task in tasks]


async def run_bounded[T](
    work: Iterable[Callable[[], Coroutine[Any, Any, T]]], limit: int
) -> list[T]:
    """Like ``run_together``, at most ``limit`` at a time; results in the order given."""
    slots = asyncio.Semaphore(limit)

    async def one(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        async with slots:
            return await make()

    return await run_together(one(make) for make in work)


async def run_in_pool[T](pool: ThreadPoolExecutor, work: Callable[[Event], T]) -> T:
    """Run blocking work that looks at the event it is given and stops soon once that is set.

    When the caller is cancelled the work is told to stop and given a moment to clean up; a thread
    that hangs on dead storage is left behind rather than waited for.
    """
    stop = Event()
    future = asyncio.get_running_loop().run_in_executor(pool, work, stop)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        stop.set()
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.wait([future], timeout=5)
        raise


def _first(errors: ExceptionGroup[Exception]) -> Exception:
    error: Exception = errors
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
