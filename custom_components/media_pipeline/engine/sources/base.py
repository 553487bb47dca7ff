"""What a source is to the engine: pages of assets, bytes, and (iCloud) freeing and restoring."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from ..fetching.order import Order, Proof
from ..fetching.traffic import Traffic
from ..model import AssetRecord, ChangePage, FreeResult, Usage


@dataclass(frozen=True, slots=True)
class Download:
    """An open stream of one resource's bytes."""

    offset: int
    """Where the stream starts; 0 although more was asked when the other side ignored the range."""
    total: int | None
    """Full length of the resource as the other side says it; None when it doesn't."""
    pieces: AsyncIterator[bytes]
    """The bytes; raises SourceUnreachable when the connection breaks."""


@dataclass(frozen=True, slots=True)
class FreeRequest:
    """One asset to delete from or restore to the source."""

    key: str
    asset_tag: str
    """The change tag that was looked at; the source refuses (conflict) when it moved on."""


class Source(Protocol):
    """Where media comes from."""

    kind: str
    can_free: bool

    async def open(self) -> None:
        """Get ready (sign in). Raises NeedsUserError kinds, SourceUnreachable, ThrottledError."""
        ...

    def walk(self, cursor: Mapping[str, str]) -> AsyncIterator[ChangePage]:
        """What changed since ``cursor``; everything when it is empty or no longer accepted.

        The caller stores each page's assets and cursor values in one transaction, so an interrupted
        walk goes on where it stopped.
        """
        ...

    async def lookup(
        self, keys: Sequence[str], *, urgent: bool = False
    ) -> dict[str, AssetRecord | None]:
        """Fresh records (with fresh download addresses); None for assets that are gone.

        A key that is left out of the answer could not be read now; it is not gone. ``urgent``: ask
        even while the source wants us slow, because it must be known what became of a delete.
        """
        ...

    def fetch(self, url: str, offset: int = 0) -> AbstractAsyncContextManager[Download]:
        """Open the bytes behind ``ResourceRecord.url``.

        Raises UrlExpired, SourceUnreachable, ThrottledError, FileVanished.
        """
        ...

    async def save(self, order: Order, traffic: Traffic) -> Proof:
        """Bring a file into its part file, which is continued, and prove it.

        Raises what ``fetch`` does; LengthMismatch, ChecksumMismatch, ErrorBody, EncodedBody,
        BrokenContainer for what arrived; OSError for the part file. When it is cancelled, nothing
        is written any more once it returns.
        """
        ...

    async def rest(self) -> None:
        """Nothing more is fetched for now: let go of what only that needs."""
        ...

    async def free(self, requests: Sequence[FreeRequest]) -> list[FreeResult]:
        """Delete assets (to Recently Deleted); one result per request, read record by record."""
        ...

    async def restore(self, keys: Sequence[str]) -> list[FreeResult]:
        """Bring deleted assets back; one result per key."""
        ...

    async def count(self) -> int | None:
        """How many assets the source says it has; None when it can't say."""
        ...

    async def counts(self) -> dict[str, int]:
        """Library → assets that it shows, by the source's own count; without what it can't say."""
        ...

    def roll(self) -> AsyncIterator[dict[str, str]]:
        """Every asset there is, in pages: key → change tag. Raises NotSupportedBySource."""
        ...

    async def usage(self) -> Usage | None:
        """Storage used and total; None when unknown."""
        ...

    async def close(self) -> None:
        """Let go of connections; safe to call twice."""
        ...
