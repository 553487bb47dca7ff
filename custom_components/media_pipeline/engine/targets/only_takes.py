"""What targets that only take have in common: nothing of what was handed to them can be looked at,
brought back or removed by us, so they hold no copies.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import NoReturn

from ..errors import OnlyHandedOver
from .base import ListedFile, Proof, ProofRequest


class OnlyTakes:
    """The part of ``Target`` that such a target refuses. Each call raises OnlyHandedOver."""

    def __init__(self, taker: str, name: str) -> None:
        """``taker`` is what takes, for the log; ``name`` is the target's own."""
        self._taker = taker
        self._name = name

    async def prove(self, requests: Sequence[ProofRequest]) -> list[Proof]:
        """Never: nobody can tell what became of it."""
        self._refuse()

    async def fetch(
        self, path: str, into: Path, *, on_bytes: Callable[[int], None] | None = None
    ) -> None:
        """Never: nothing comes back, or other bytes than were handed over."""
        self._refuse()

    async def listing(self, folder: str = "") -> AsyncIterator[ListedFile]:
        """Never: nothing can be seen, or too little of it."""
        self._refuse()
        yield ListedFile("", 0)  # which makes this a generator

    async def delete(self, path: str) -> None:
        """Never: what was handed over is not ours."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise OnlyHandedOver(f"{self._taker} only takes", name=self._name)
