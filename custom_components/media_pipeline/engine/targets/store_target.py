"""A target over HTTP: what rclone, WebDAV and the like share. The bytes are the store's matter."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from ..bandwidth import Bandwidth
from ..config import TargetConfig
from ..errors import TargetFull
from ..marker import MARKER_NAME
from .base import Delivery, ListedFile, Proof, ProofRequest, TargetIdentity, TargetInfo
from .outgoing import Outgoing
from .paths import check_path, is_part
from .store import Store
from .store_delivery import StoreDelivery
from .store_leftovers import OwnParts, sweep_old
from .store_reading import copy_out, prove_one
from .store_setup import check_marker, claim, look_for_marker, try_out
from .tasks import run_bounded

_PARALLEL_READS: Final = 4
_PARALLEL_LOOKS: Final = 8
_SPACE_LASTS: Final = 60.0
"""Seconds for which the free space that the other side told is counted on from."""


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
        self._parts = OwnParts(store)
        self._delivery = StoreDelivery(store, self._parts)
        self._free: int | None = None
        self._free_asked = 0.0

    async def open(self) -> TargetInfo:
        """See ``Target.open``. A small file is written, read back and removed each time."""
        async with self._opening:
            info = await self._store.connect()
            if self._marker_id is None:
                self._marker_id = await claim(self._store, self._owner)
            else:
                await self._check_marker()
                await try_out(self._store)
            await self._parts.sweep()
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

    async def _check_marker(self) -> None:
        await check_marker(self._store, self._marker_id or "")

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
            final, ours = await self._delivery.find_name(outgoing, path, replace=replace)
            if ours:
                return Delivery(final, size, already_there=True)
            free = await self._space()
            if free is not None and free < size + self._config.reserve_bytes:
                raise TargetFull(f"no room for {size} bytes", path=self._store.name)
            delivery = await self._delivery.send(outgoing, final, path, replace=replace)
            if self._free is not None:
                self._free -= size
            return delivery

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
        await self._check_marker()
        proofs = await run_bounded(
            [partial(prove_one, self._store, request) for request in requests],
            _PARALLEL_LOOKS if self._store.hash_name else _PARALLEL_READS,
        )
        if any(proof.sha256 is None for proof in proofs):
            # A disk that vanished meanwhile must not look like files that are gone.
            await self._check_marker()
        return proofs

    async def fetch(
        self, path: str, into: Path, *, on_bytes: Callable[[int], None] | None = None
    ) -> None:
        """See ``Target.fetch``."""
        check_path(path)
        await self._ready()
        await self._check_marker()
        await copy_out(self._store, path, into, on_bytes)

    async def listing(self, folder: str = "") -> AsyncIterator[ListedFile]:
        """See ``Target.listing``. Old part files that nobody finished are removed on the way."""
        if folder:
            check_path(folder)
        await self._ready()
        await self._check_marker()
        waiting = [folder]
        while waiting:
            files, folders = await self._store.list_folder(waiting.pop())
            waiting += folders
            for file in files:
                name = file.path.rpartition("/")[2]
                if is_part(name):
                    await sweep_old(self._store, file.path)
                elif name != MARKER_NAME:
                    yield file
        # A disk that vanished meanwhile must not look like files that are gone.
        await self._check_marker()

    async def delete(self, path: str) -> None:
        """See ``Target.delete``."""
        check_path(path)
        await self._ready()
        await self._check_marker()
        await self._store.remove(path)

    async def move(self, path: str, to: str) -> bool:
        """See ``MovingTarget.move``."""
        check_path(path)
        check_path(to)
        await self._ready()
        await look_for_marker(self._store)
        return await self._delivery.rename(path, to)

    async def close(self) -> None:
        """See ``Target.close``."""
        self._opened = False
        await self._store.close()
