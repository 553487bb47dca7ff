"""What the downloads of one run share."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from ..bandwidth import Bandwidth
from ..control import Control


@dataclass(frozen=True, slots=True)
class Traffic:
    """Limits, pause, and who counts the bytes."""

    control: Control
    bandwidth: Bandwidth
    on_bytes: Callable[[int], None]
    """Hears how many bytes arrived, in pieces."""
    connections: int
    """Downloads at the same time; more may be flushed and proven meanwhile."""
    read_soon: bool = True
    """See ``Order``."""
    turns: asyncio.Semaphore = field(init=False)
    """For downloads within this process."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "turns", asyncio.Semaphore(self.connections))
