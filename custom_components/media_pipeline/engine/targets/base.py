"""What a target is to the engine: deliver without overwriting, then prove.

A target holds no queue and no memory of what it sent; the catalog does. All paths are relative,
with ``/`` between parts, portable (see ``engine.names``) and below the target's root.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from ..errors import PipelineError
from ..model import ProofMethod


@dataclass(frozen=True, slots=True)
class TargetIdentity:
    """What is remembered about a target between runs, to notice a changed one."""

    marker_id: str | None = None
    """Id in the target's marker file; None before the first connection."""
    device_id: str | None = None
    """Device of the folder (folder targets) as text; None where there is none."""
    owner: str | None = None
    """Whose target it is (the archive's marker id), told to others by the marker."""
    host_keys: str | None = None
    """By which keys an SSH server may show itself (see ``known_keys``). It announces them at any
    time after ``Target.open``, so they are no part of what that returns."""


@dataclass(frozen=True, slots=True)
class TargetInfo:
    """What opening a target told."""

    identity: TargetIdentity
    free_bytes: int | None
    """None when the target can't say."""
    domain: str
    """Failure domain: two targets with the same text die together (host key, file system id)."""
    off_machine: bool
    """True when the bytes do not lie on the machine that Home Assistant runs on."""
    remote_hash: bool
    """True when the other side can hash files itself."""
    other_domains: tuple[str, ...] = ()
    """Further names of the same failure domain, under which other targets may know it."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A file that was published at the target. No proof unless it says so: see ``Target.prove``."""

    path: str
    """Where it lies; differs from the asked path when foreign data was in the way."""
    size: int
    already_there: bool = False
    """True when the target already held these very bytes (proven by hash)."""
    stored_sha256: str | None = None
    """Of the bytes that lie there, when they are not those of the source (encrypted); so ``size``.
    """
    twin_differs: bool = False
    """True when the copy that was to be copied there has other bytes; see ``CopiesThere``."""
    proof: ProofMethod | None = None
    """How the published file itself was hashed already, with the right result; None: it was not."""


@dataclass(frozen=True, slots=True)
class Shipment:
    """A local file to deliver, and what the catalog knows of it."""

    source: Path
    path: str
    """Where it is to lie at the target."""
    size: int
    sha256: str
    mtime: float


@dataclass(frozen=True, slots=True)
class ProofRequest:
    """A file whose bytes are to be proven."""

    path: str
    size: int
    local: Path | None = None
    """Our own file that should have the same bytes, for a side that knows other hashes only."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What the target really holds at a path."""

    path: str
    sha256: str | None
    """Lower-case hex; None when there is no such file."""
    size: int | None
    method: ProofMethod


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file that lies at a target, ours or not."""

    path: str
    size: int


class Target(Protocol):
    """One place for copies. Every method may raise a ``TargetUnavailableError``."""

    kind: str

    async def open(self) -> TargetInfo:
        """Connect, check who is there against the remembered identity, clean up old part files.

        On the first connection (no remembered marker) the marker is written. Raises MarkerMissing,
        MarkerForeign, DeviceChanged, HostKeyChanged, TargetAuthFailed, TargetUnreachable,
        NoSftpService, TargetPathMissing, TargetReadOnly.
        """
        ...

    async def deliver(
        self,
        source: Path,
        path: str,
        *,
        size: int,
        sha256: str,
        mtime: float,
        replace: bool = False,
        on_bytes: Callable[[int], None] | None = None,
    ) -> Delivery:
        """Copy ``source`` to a hidden part file, flush it, publish it at ``path`` by rename.

        The source is hashed while it is read: SourceFileChanged when it no longer has ``sha256``.
        Never overwrites: when ``path`` holds other bytes, ``<stem>~<8 hex of sha256><suffix>`` is
        used instead, unless ``replace`` says that the file there is an older version of our own.
        ``on_bytes`` gets the count of each piece sent. Raises TargetFull (part file removed),
        NameRefused, TargetUnreachable and those of ``open``.
        """
        ...

    async def prove(self, requests: Sequence[ProofRequest]) -> list[Proof]:
        """Hash the files at the target, or read them back; one proof per request, same order."""
        ...

    async def fetch(
        self, path: str, into: Path, *, on_bytes: Callable[[int], None] | None = None
    ) -> None:
        """Bring a file back: write its bytes to the new local file ``into`` and flush them.

        Nothing is checked here; the caller compares what it got. FileVanished when nothing lies at
        ``path``, LocalWriteFailed when ``into`` can't be written; ``into`` is gone after any error.
        """
        ...

    def listing(self, folder: str = "") -> AsyncIterator[ListedFile]:
        """Every file below ``folder``, in no order; our marker and part files are left out.

        A folder that is not there is empty.
        """
        ...

    async def delete(self, path: str) -> None:
        """Remove one file of ours; no error when it is not there."""
        ...

    async def close(self) -> None:
        """Let go of connections and threads; safe to call twice."""
        ...


@runtime_checkable
class DeliversMany(Protocol):
    """A target that takes many small files in one go; what else it can do is ``Target``'s."""

    @property
    def takes_many(self) -> bool:
        """False when it can't do so (now); ask again after ``open``."""
        ...

    async def deliver_many(
        self, items: Sequence[Shipment], *, on_bytes: Callable[[int], None] | None = None
    ) -> list[Delivery | PipelineError | None]:
        """Deliver files as ``Target.deliver`` does, all in one go; one result per item, same order.

        Files of a few megabytes, a few hundred at most. None: use ``deliver`` for that one (its
        name is taken, or this way does not work for it). Raises a ``TargetUnavailableError``;
        nothing half of any file stays then, but some may have been published.
        """
        ...


@runtime_checkable
class MovingTarget(Protocol):
    """A target that can give a file another name without touching its bytes."""

    async def move(self, path: str, to: str) -> bool:
        """Rename a file below the root, making folders; False when it is gone or ``to`` is taken.

        Nothing is ever overwritten. Raises what ``Target.deliver`` raises.
        """
        ...


@runtime_checkable
class CopiesThere(Protocol):
    """A target that can copy a file it holds, so that its bytes need not be sent once more."""

    @property
    def copies_there(self) -> bool:
        """False when it can't do so (now); ask again after ``open``."""
        ...

    async def deliver_twin(
        self, item: Shipment, twin: str, *, on_bytes: Callable[[int], None] | None = None
    ) -> Delivery:
        """Like ``Target.deliver``, by a copy of the file ``twin``, which should have these bytes.

        The copy is hashed there before it is published; when anything is wrong with it or with
        ``twin``, the file is sent. ``on_bytes`` gets only what was sent.
        """
        ...
