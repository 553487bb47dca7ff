"""Part files that no transfer over HTTP finished: those of ours now, anybody's after a week."""

import asyncio
from contextlib import suppress
from typing import Final

from ..errors import PipelineError, TargetUnavailableError
from .paths import PART_MAX_AGE
from .store import Store

_REAPPEARS: Final = (0.1, 0.3, 0.6)
"""Seconds after which a removed part file is looked for again."""


async def discard(store: Store, part: str) -> None:
    """Remove a part file now, as far as that works.

    A server may only later notice that a transfer broke, and keep what it has.
    """
    with suppress(PipelineError, TimeoutError):
        async with asyncio.timeout(20):
            await store.remove(part)
            for seconds in _REAPPEARS:
                await asyncio.sleep(seconds)
                if await store.look(part) is not None:
                    await store.remove(part)


async def sweep_old(store: Store, part: str) -> None:
    """Remove a part file of whomever, once nobody can be at it any more."""
    age = await store.age(part)
    if age is not None and age > PART_MAX_AGE:
        with suppress(TargetUnavailableError):
            await store.remove(part)


class OwnParts:
    """Part files of ours that may lie there: looked for again when the target is opened next."""

    def __init__(self, store: Store) -> None:
        """None yet."""
        self._store = store
        self._paths: set[str] = set()

    def begun(self, part: str) -> None:
        """From now on it may lie there."""
        self._paths.add(part)

    def published(self, part: str) -> None:
        """It has its name, and is no part file any more."""
        self._paths.discard(part)

    async def sweep(self) -> None:
        """Remove those that could not be removed when their transfer broke."""
        for path in list(self._paths):
            await self._store.remove(path)
            self._paths.discard(path)
