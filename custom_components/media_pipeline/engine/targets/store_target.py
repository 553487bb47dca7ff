"""A target over HTTP: what rclone, WebDAV and the like share. The bytes are the store's matter."""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, suppress
from functools import partial
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

from ..bandwidth import Bandwidth
from ..config import TargetConfig
from ..errors import (
    CopyMismatch,
    FileVanished,
    MarkerForeign,
    MarkerMissing,
    NameRefused,
    PipelineError,
    SourceFileChanged,
    TargetFull,
    TargetPathMissing,
    TargetUnavailableError,
    TargetUnreachable,
)
from ..marker import MARKER_NAME, marker_for_claim, parse_marker
from ..model import ProofMethod
from ..names import collision_key, names_for
from .base import Delivery, ListedFile, Proof, ProofRequest, TargetIdentity, TargetInfo
from .landing import Landing
from .outgoing import Outgoing
from .paths import (
    PART_MAX_AGE,
    NameTaken,
    check_path,
    is_part,
    parent_of,
    plain_part_path,
    probe_name,
)
from .store import Store, StoredFile
from .tasks import run_bounded, run_together

_PUBLISH_TRIES: Final = 4
_PARALLEL_READS: Final = 4
_PARALLEL_LOOKS: Final = 8
_SPACE_LASTS: Final = 60.0
"""Seconds for which the free space that the other side told is counted on from."""
_REAPPEARS: Final = (0.1, 0.3, 0.6)
"""Seconds after which a removed part file is looked for again."""
_MARKER_LIMIT: Final = 4096


class StoreTarget:
    """Copies behind an HTTP service. Nothing is kept open but a pool of connections."""

    kind = "store"

    def __init__(self, config: TargetConfig, identity: TargetIdentity, store: Store) -> None:
        """``identity`` is what an earlier ``open`` told; empty for a place never used before."""
        self._config = config
        self._store = store
        self._marker_id = identity.marker_id
        self._owner = identity.owner
        self._opened = False
        self._opening = asyncio.Lock()
        self._slots = asyncio.Semaphore(max(1, config.parallel))
        self._limit = Bandwidth(config.bandwidth) if config.bandwidth else None
        self._names: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._orphans: set[str] = set()
        self._free: int | None = None
        self._free_asked = 0.0

    async def open(self) -> TargetInfo:
        """See ``Target.open``. A small file is written, read back and removed each time."""
        async with self._opening:
            info = await self._store.connect()
            if self._marker_id is None:
                self._marker_id = await self._claim()
            else:
                await self._check_marker(self._marker_id)
                await self._try_out()
            await self._sweep_own()
            self._free_asked = 0.0
            free = await self._space()
            self._opened = True
        off_machine = self._config.off_machine
        return TargetInfo(
            identity=TargetIdentity(self._marker_id),
            free_bytes=free,
            domain=info.domain,
            off_machine=info.off_machine if off_machine is None else off_machine,
            remote_hash=self._store.hash_name is not None,
        )

    async def _ready(self) -> None:
        if not self._opened:
            await self.open()

    async def _claim(self) -> str:
        """Take a place into use: make it, try it out, adopt or write its marker."""
        there = await self._store.look("")
        if there is None:
            await self._store.make_folder("")
        try:
            await self._try_out()
            marker_id, text = marker_for_claim(await self._read_small(MARKER_NAME), self._owner)
            if text is not None:
                part = plain_part_path(MARKER_NAME)
                await self._put_small(part, text.encode(), MARKER_NAME, replace=True)
                if await self._read_marker() != marker_id:
                    raise CopyMismatch("the marker came back different", path=self._store.name)
        except BaseException:  # cancelled too: a folder made for the test goes
            if there is None:
                with suppress(PipelineError, TimeoutError):
                    async with asyncio.timeout(10):
                        await self._store.remove_root()
            raise
        return marker_id

    async def _try_out(self) -> None:
        """Write, publish, read back and remove a small file."""
        name, data = probe_name(), os.urandom(64)
        try:
            await self._put_small(plain_part_path(name), data, name, replace=False)
            back = await self._read_small(name)
            if back != data:
                raise CopyMismatch("read back other bytes than were written", path=self._store.name)
        except (NameRefused, FileVanished) as err:
            raise TargetPathMissing(err.detail, path=self._store.name) from err
        finally:
            with suppress(PipelineError):
                await self._store.remove(name)

    async def _put_small(self, part: str, data: bytes, name: str, *, replace: bool) -> None:
        try:
            await self._store.write_small(part, data)
            await self._store.move(part, name, replace=replace)
        except NameTaken as err:
            await self._discard(part)
            raise TargetUnreachable(f"somebody else writes {name}", path=name) from err
        except BaseException:  # cancelled too: the test file goes
            await self._discard(part)
            raise

    async def _read_small(self, path: str) -> bytes | None:
        data = b""
        try:
            async with aclosing(self._store.read(path)) as pieces:
                async for piece in pieces:
                    data += piece
                    if len(data) > _MARKER_LIMIT:
                        break
        except FileVanished:
            return None
        return data

    async def _read_marker(self) -> str | None:
        text = await self._read_small(MARKER_NAME)
        return parse_marker(text) if text is not None else None

    async def _check_marker(self, marker_id: str) -> None:
        found = await self._read_marker()
        if found is None:
            raise MarkerMissing(f"no marker in {self._store.name}", path=self._store.name)
        if found != marker_id:
            raise MarkerForeign(f"foreign marker in {self._store.name}", path=self._store.name)

    async def _look_for_marker(self) -> None:
        """Quicker than ``_check_marker``: that it is there, not what it says."""
        if await self._store.look(MARKER_NAME) is None:
            raise MarkerMissing(f"the marker vanished from {self._store.name}")

    async def _sweep_own(self) -> None:
        """Part files of ours that could not be removed when their transfer broke."""
        for path in list(self._orphans):
            await self._store.remove(path)
            self._orphans.discard(path)

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
        """See ``Target.deliver``."""
        check_path(path)
        async with self._slots:
            await self._ready()
            outgoing = Outgoing(
                source,
                size,
                sha256,
                mtime=mtime,
                also=self._store.hash_name,
                limit=self._limit,
                on_bytes=on_bytes,
            )
            final, ours = await self._choose(outgoing, path, replace=replace)
            if ours:
                return Delivery(final, size, already_there=True)
            free = await self._space()
            if free is not None and free < size + self._config.reserve_bytes:
                raise TargetFull(f"no room for {size} bytes", path=self._store.name)
            await self._store.make_folder(parent_of(final))
            part = plain_part_path(final)
            self._orphans.add(part)
            try:
                await self._store.send(outgoing, part)
                await self._check_part(part, outgoing)
                delivery = await self._publish(part, final, path, outgoing, replace=replace)
            except BaseException:  # cancelled too: no half file may stay behind
                await self._discard(part)
                raise
            if delivery.already_there:
                await self._discard(part)
            else:
                self._orphans.discard(part)
            if self._free is not None:
                self._free -= size
            return delivery

    async def _choose(self, outgoing: Outgoing, path: str, *, replace: bool) -> tuple[str, bool]:
        """The name to use, and whether our bytes are there already."""
        for name in names_for(path, outgoing.sha256 or ""):
            there = await self._store.look(name)
            if there is None:
                return name, False
            if there.folder:
                continue
            if there.size == outgoing.size:
                request = ProofRequest(name, there.size, outgoing.source)
                proof = await self._prove_one(request)
                if proof.sha256 == outgoing.sha256:
                    return name, True
            if replace and name == path:
                return name, False
        raise NameRefused(f"all names for {path} are taken", path=path)

    async def _check_part(self, part: str, outgoing: Outgoing) -> None:
        """What arrived, as far as that can be seen without reading it back: verify does that."""
        if not outgoing.digests:
            raise CopyMismatch("it was said to be there before all of it was sent", path=part)
        name = self._store.hash_name
        there = await self._store.look(part, digest=True)
        if there is None:
            raise CopyMismatch("nothing arrived, although it was said to be sent", path=part)
        if there.size != outgoing.size:
            raise CopyMismatch(f"{there.size} instead of {outgoing.size} bytes", path=part)
        theirs = dict(there.digests).get(name or "")
        if theirs and theirs != outgoing.digests[name or "sha256"]:
            raise CopyMismatch(f"other bytes arrived than were sent ({name})", path=part)

    async def _publish(
        self, part: str, final: str, path: str, outgoing: Outgoing, *, replace: bool
    ) -> Delivery:
        for _ in range(_PUBLISH_TRIES):
            replacing = replace and final == path
            # Of two files for one name here, the second must see the first: not all servers
            # refuse to rename over a file.
            async with self._name_lock(final):
                with suppress(NameTaken):
                    await run_together(
                        [self._look_for_marker(), self._name_is_free(final, replacing=replacing)]
                    )
                    await self._store.move(part, final, replace=replacing)
                    await self._see(part, final, outgoing.size)
                    return Delivery(final, outgoing.size)
            final, ours = await self._choose(outgoing, path, replace=replace)
            if ours:
                return Delivery(final, outgoing.size, already_there=True)
        raise TargetUnreachable(f"somebody else keeps writing {path}", path=path)

    def _name_lock(self, path: str) -> asyncio.Lock:
        return self._names.setdefault(collision_key(path), asyncio.Lock())

    async def _name_is_free(self, path: str, *, replacing: bool) -> None:
        if not replacing and await self._store.look(path) is not None:
            raise NameTaken(path)

    async def _see(self, part: str, path: str, size: int) -> None:
        there = await self._store.look(path)
        if there is not None and there.size == size:
            return
        if there is None and await self._store.look(part) is None:
            raise NameRefused("the other side gave it another name", path=path)
        raise CopyMismatch("not there after it was said to be renamed", path=path)

    async def _discard(self, part: str) -> None:
        """Remove a part file now, and look for it again when the target is opened next.

        A server may only later notice that a transfer broke, and keep what it has.
        """
        with suppress(PipelineError, TimeoutError):
            async with asyncio.timeout(20):
                await self._store.remove(part)
                for seconds in _REAPPEARS:
                    await asyncio.sleep(seconds)
                    if await self._store.look(part) is not None:
                        await self._store.remove(part)

    async def _space(self) -> int | None:
        now = time.monotonic()
        if not self._free_asked or now - self._free_asked > _SPACE_LASTS:
            self._free = await self._store.free_bytes()
            self._free_asked = now
        return self._free

    async def prove(self, requests: Sequence[ProofRequest]) -> list[Proof]:
        """See ``Target.prove``: by the other side's hash where it counts, else read back."""
        for request in requests:
            check_path(request.path)
        await self._ready()
        await self._check_marker(self._marker_id or "")
        proofs = await run_bounded(
            [partial(self._prove_one, request) for request in requests],
            _PARALLEL_LOOKS if self._store.hash_name else _PARALLEL_READS,
        )
        if any(proof.sha256 is None for proof in proofs):
            # A disk that vanished meanwhile must not look like files that are gone.
            await self._check_marker(self._marker_id or "")
        return proofs

    async def _prove_one(self, request: ProofRequest) -> Proof:
        path = request.path
        if self._store.hash_name is not None:
            there = await self._store.look(path, digest=True)
            if there is None or there.folder:
                return Proof(path, None, None, ProofMethod.REMOTE_HASH)
            sha256 = await self._by_their_hash(there, request)
            if sha256 is not None:
                return Proof(path, sha256, there.size, ProofMethod.REMOTE_HASH)
        return await self._read_back(path)

    async def _by_their_hash(self, there: StoredFile, request: ProofRequest) -> str | None:
        """The SHA-256 of what they hold as far as their own hash tells it."""
        name = self._store.hash_name or ""
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

    async def _read_back(self, path: str) -> Proof:
        digest, count = hashlib.sha256(), 0
        try:
            async with aclosing(self._store.read(path)) as pieces:
                async for piece in pieces:
                    digest.update(piece)
                    count += len(piece)
        except FileVanished:
            return Proof(path, None, None, ProofMethod.READ_BACK)
        return Proof(path, digest.hexdigest(), count, ProofMethod.READ_BACK)

    async def fetch(
        self, path: str, into: Path, *, on_bytes: Callable[[int], None] | None = None
    ) -> None:
        """See ``Target.fetch``."""
        check_path(path)
        await self._ready()
        await self._check_marker(self._marker_id or "")
        async with aclosing(self._store.read(path)) as pieces:
            first = await anext(pieces, b"")  # a file that is not there must leave nothing here
            landing = await asyncio.to_thread(Landing(into).__enter__)
            try:
                piece: bytes | None = first
                while piece is not None:
                    await asyncio.to_thread(landing.write, piece)
                    if on_bytes is not None and piece:
                        on_bytes(len(piece))
                    piece = await anext(pieces, None)
            except BaseException as err:  # cancelled too: no half file may stay
                await asyncio.to_thread(landing.__exit__, type(err), err, None)
                raise
            await asyncio.to_thread(landing.__exit__, None, None, None)

    async def listing(self, folder: str = "") -> AsyncIterator[ListedFile]:
        """See ``Target.listing``. Old part files that nobody finished are removed on the way."""
        if folder:
            check_path(folder)
        await self._ready()
        await self._check_marker(self._marker_id or "")
        waiting = [folder]
        while waiting:
            files, folders = await self._store.list_folder(waiting.pop())
            waiting += folders
            for file in files:
                name = file.path.rpartition("/")[2]
                if is_part(name):
                    await self._sweep(file.path)
                elif name != MARKER_NAME:
                    yield file
        # A disk that vanished meanwhile must not look like files that are gone.
        await self._check_marker(self._marker_id or "")

    async def _sweep(self, path: str) -> None:
        age = await self._store.age(path)
        if age is not None and age > PART_MAX_AGE:
            with suppress(TargetUnavailableError):
                await self._store.remove(path)

    async def delete(self, path: str) -> None:
        """See ``Target.delete``."""
        check_path(path)
        await self._ready()
        await self._check_marker(self._marker_id or "")
        await self._store.remove(path)

    async def move(self, path: str, to: str) -> bool:
        """See ``MovingTarget.move``."""
        check_path(path)
        check_path(to)
        await self._ready()
        await self._look_for_marker()
        there = await self._store.look(path)
        if there is None or there.folder:
            return False
        await self._store.make_folder(parent_of(to))
        async with self._name_lock(to):
            try:
                await self._name_is_free(to, replacing=False)
                await self._store.move(path, to, replace=False)
            except NameTaken, FileVanished:
                return False
        return True

    async def close(self) -> None:
        """See ``Target.close``."""
        self._opened = False
        await self._store.close()
