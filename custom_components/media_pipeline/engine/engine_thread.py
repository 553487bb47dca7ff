"""A thread with its own event loop, and the way into it from any other loop."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from .errors import EngineStopped

# Threads for blocking file work; more than cores, because disks and network shares wait.
_FILE_THREADS: Final = 16


class EngineThread:
    """Runs what it is given on a loop that nobody else uses."""

    def __init__(self) -> None:
        """Nothing runs before ``start``."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """False before ``start``, and from the moment ``stop`` is called."""
        return self._thread is not None

    async def start(self) -> None:
        """Start the thread and wait until its loop runs."""
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._serve, args=(ready,), name="media_pipeline", daemon=True
        )
        self._thread.start()
        await asyncio.to_thread(ready.wait)

    def _serve(self, ready: threading.Event) -> None:
        loop = asyncio.new_event_loop()
        loop.set_default_executor(ThreadPoolExecutor(_FILE_THREADS, thread_name_prefix="mp-files"))
        asyncio.set_event_loop(loop)
        self._loop = loop
        loop.call_soon(ready.set)
        try:
            loop.run_forever()
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    async def call[T](self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the thread's loop and wait for it. Raises EngineStopped."""
        if self._loop is None or self._thread is None:
            coroutine.close()
            raise EngineStopped
        return await _wrap(coroutine, self._loop)

    async def stop(self, last: Callable[[], Coroutine[Any, Any, None]] | None) -> None:
        """Take no more calls, run ``last``, end the thread; a second call does nothing."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._thread = None
        try:
            if last is not None:
                await asyncio.shield(_wrap(last(), loop))
        finally:
            with contextlib.suppress(RuntimeError):  # the loop is closed already
                loop.call_soon_threadsafe(loop.stop)
            await asyncio.to_thread(thread.join, 20)
            self._loop = None


def _wrap[T](
    coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop
) -> asyncio.Future[T]:
    return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, loop))
