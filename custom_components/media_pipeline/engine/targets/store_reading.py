"""Reading what lies at a target over HTTP: to prove it, or to bring it back."""

import hashlib
from collections.abc import Callable
from contextlib import aclosing, suppress
from pathlib import Path

from ..errors import FileVanished, SourceFileChanged
from ..model import ProofMethod
from .base import Proof, ProofRequest
from .landing import land
from .outgoing import Outgoing
from .store import Store, StoredFile


async def prove_one(store: Store, request: ProofRequest) -> Proof:
    """Prove a file by the other side's hash where it counts, else read it back."""
    path = request.path
    if store.hash_name is not None:
        there = await store.look(path, digest=True)
        if there is None or there.folder:
            return Proof(path, None, None, ProofMethod.REMOTE_HASH)
        sha256 = await _by_their_hash(store, there, request)
        if sha256 is not None:
            return Proof(path, sha256, there.size, ProofMethod.REMOTE_HASH)
    return await _read_back(store, path)


async def _by_their_hash(store: Store, there: StoredFile, request: ProofRequest) -> str | None:
    """The SHA-256 of what they hold as far as their own hash tells it."""
    name = store.hash_name or ""
    theirs = dict(there.digests).get(name)
    if theirs is None or name == "sha256":
        return theirs
    if request.local is None or request.size != there.size:
        return None
    ours = Outgoing(request.local, request.size, None, also=name)
    with suppress(FileVanished, SourceFileChanged):
        await ours.check()
        if ours.digests.get(name) == theirs:
            return ours.digests["sha256"]
    return None


async def _read_back(store: Store, path: str) -> Proof:
    digest, count = hashlib.sha256(), 0
    try:
        async with aclosing(store.read(path)) as pieces:
            async for piece in pieces:
                digest.update(piece)
                count += len(piece)
    except FileVanished:
        return Proof(path, None, None, ProofMethod.READ_BACK)
    return Proof(path, digest.hexdigest(), count, ProofMethod.READ_BACK)


async def copy_out(
    store: Store, path: str, into: Path, on_bytes: Callable[[int], None] | None
) -> None:
    """Write a file to the new file ``into``. Raises FileVanished and LocalWriteFailed."""
    async with aclosing(store.read(path)) as pieces:
        await land(pieces, into, on_bytes)
