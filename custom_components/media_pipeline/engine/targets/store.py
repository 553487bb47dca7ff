"""What a target over HTTP needs of its other side; ``store_target`` makes a whole target of it."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from .base import ListedFile
from .outgoing import Outgoing


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """What connecting told."""

    domain: str
    """See ``TargetInfo.domain``."""
    off_machine: bool


@dataclass(frozen=True, slots=True)
class StoredFile:
    """What lies at a path."""

    size: int
    folder: bool = False
    digests: tuple[tuple[str, str], ...] = ()
    """Name and value of the hash that the other side made of the bytes, where it makes any."""


class Store(Protocol):
    """Files below one root at the other side. Paths are relative to it; every call may raise a
    ``TargetUnavailableError``."""

    hash_name: str | None
    """The hash that the other side makes of the bytes it holds and that counts; None without."""
    name: str
    """For errors: where the files lie, without secrets."""

    async def connect(self) -> StoreInfo:
        """Log in and see what the other side can do."""
        ...

    async def look(self, path: str, *, digest: bool = False) -> StoredFile | None:
        """What lies at ``path``, with its hash when asked for; None for nothing."""
        ...

    def read(self, path: str) -> AsyncGenerator[bytes]:
        """The bytes of a file. Raises FileVanished."""
        ...

    async def send(self, outgoing: Outgoing, path: str) -> None:
        """Write all bytes to the new file ``path``; its folder is there."""
        ...

    async def write_small(self, path: str, data: bytes) -> None:
        """Write a new small file; its folder is there."""
        ...

    async def make_folder(self, path: str) -> None:
        """Make a folder (empty: the root) and those it needs; no error when it is there."""
        ...

    async def remove_root(self) -> None:
        """Remove the root folder, only if it is empty."""
        ...

    async def move(self, source: str, path: str, *, replace: bool) -> None:
        """Rename a file. Raises NameTaken when ``path`` exists and ``replace`` is false."""
        ...

    async def remove(self, path: str) -> None:
        """Remove a file; no error when it is not there."""
        ...

    async def list_folder(self, path: str) -> tuple[list[ListedFile], list[str]]:
        """All files of a folder with their full paths, and its folders; empty without it."""
        ...

    async def age(self, path: str) -> float | None:
        """Seconds since a file was changed; None when nobody knows."""
        ...

    async def free_bytes(self) -> int | None:
        """Bytes that may still be written; None when the other side can't say."""
        ...

    async def close(self) -> None:
        """Let go of connections; safe to call twice."""
        ...
