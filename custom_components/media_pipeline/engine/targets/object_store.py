"""A bucket in an object store as a target: S3 and compatible, Google Cloud Storage, Azure."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from ..bandwidth import Bandwidth
from ..errors import FileVanished, NameRefused, TargetUnavailableError, TargetUnreachable
from ..marker import MARKER_NAME
from ..model import ProofMethod
from ..names import names_for
from . import object_store_reading as reading
from .base import Delivery, ListedFile, Proof, ProofRequest, TargetIdentity, TargetInfo
from .object_store_access import Door, is_this_machine
from .object_store_config import ObjectStoreTargetConfig
from .object_store_leftovers import abort_uploads
from .object_store_link import PARALLEL_READS, ObjectStoreLink
from .object_store_upload import SINGLE, memory_for, read_whole, send_in_parts, send_whole
from .paths import NameTaken, check_path, is_part
from .tasks import run_bounded

_PUBLISH_TRIES: Final = 4
_CLEANING_SECONDS: Final = 15.0


class ObjectStoreTarget:
    """Copies as objects, named as the archive's files.

    An object appears whole or not at all, so there are no part files. It is created only where
    nothing lies, by the store itself; where a store can't promise that (some know no such writes,
    and none knows them for objects sent in parts), the name carries the hash of the bytes.
    """

    def __init__(self, config: ObjectStoreTargetConfig, identity: TargetIdentity) -> None:
        """``identity`` is what an earlier ``open`` told; empty for a place never used before."""
        self.kind = config.kind
        self._config = config
        self._link = ObjectStoreLink(config, identity)
        self._bandwidth = Bandwidth(config.bandwidth)

    async def open(self) -> TargetInfo:
        """See ``Target.open``. A place never used before is tried out before it is marked.

        Raises also BucketMissing, BucketWrongRegion, CertificateRefused, ClockWrong, TargetBusy,
        InvalidEndpoint, PlainHttpRefused, StorageClassRefused and InvalidStoreKey.
        """
        door = await self._link.open()
        return TargetInfo(
            identity=TargetIdentity(self._link.marker_id),
            free_bytes=None,
            domain=door.domain,
            off_machine=await self._is_off_machine(door),
            remote_hash=False,
        )

    async def _is_off_machine(self, door: Door) -> bool:
        if self._config.off_machine is not None:
            return self._config.off_machine
        return not await asyncio.to_thread(is_this_machine, door)

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
        """See ``Target.deliver``. Objects have no time of their own to set: ``mtime`` is unused."""
        check_path(path)
        async with self._link.sending.place(memory_for(size)):
            await self._link.check_marker()
            data = None
            if size <= SINGLE:
                data = await asyncio.to_thread(read_whole, source, size, sha256)
            tagged = data is None or not self._link.create_only
            for _ in range(_PUBLISH_TRIES):
                name, there = await self._choose(path, size, sha256, tagged=tagged, replace=replace)
                if there is True:
                    return Delivery(name, size, already_there=True)
                with suppress(NameTaken):
                    await self._send(
                        source, name, data, size, sha256, create=there is None, report=on_bytes
                    )
                    return Delivery(name, size)
        raise TargetUnreachable(f"somebody else keeps writing {path}", path=path)

    async def _choose(
        self, path: str, size: int, sha256: str, *, tagged: bool, replace: bool
    ) -> tuple[str, bool | None]:
        """The name to use; True when our bytes are there, False to overwrite, None when it is free.

        ``tagged`` leaves the plain name to others, unless it has our bytes already.
        """
        names = names_for(path, sha256)
        for name in names:
            found = await self._look(name)
            if found is None:
                if tagged and not replace and name == path:
                    continue
                return name, None
            if found == size and (await self._hash(name)) == (sha256, size):
                return name, True
            if replace and name == path:
                return name, False
        raise NameRefused(f"all names for {path} are taken", path=path)

    async def _look(self, path: str) -> int | None:
        import obstore

        store = await self._link.client()
        with suppress(FileVanished), self._link.named(path):
            return (await obstore.head_async(store, path))["size"]
        return None

    async def _send(
        self,
        source: Path,
        name: str,
        data: bytes | None,
        size: int,
        sha256: str,
        *,
        create: bool,
        report: Callable[[int], None] | None,
    ) -> None:
        """Raises NameTaken."""
        store = await self._link.client()
        told = report or (lambda _: None)
        try:
            with self._link.named(name, self._link.sending):
                if data is None:
                    await send_in_parts(
                        store,
                        name,
                        source,
                        size=size,
                        sha256=sha256,
                        attributes=self._link.attributes,
                        pace=self._link.sending,
                        bandwidth=self._bandwidth,
                        report=told,
                    )
                    return
                await self._bandwidth.take(size)
                await send_whole(
                    store,
                    name,
                    data,
                    create=create and self._link.create_only,
                    attributes=self._link.attributes,
                    pace=self._link.sending,
                )
                if size:
                    told(size)
        except BaseException:  # cancelled too: parts that were sent cost money until they go
            if data is None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_CLEANING_SECONDS):
                        await abort_uploads(self._config, name)
            raise

    async def prove(self, requests: Sequence[ProofRequest]) -> list[Proof]:
        """See ``Target.prove``: always read back.

        Checksums that a store shows were computed when the object arrived; they say nothing about
        the bytes that lie there now.
        """
        for request in requests:
            check_path(request.path)
        await self._link.check_marker()
        proofs = await run_bounded(
            [partial(self._prove, request) for request in requests], PARALLEL_READS
        )
        if any(proof.sha256 is None for proof in proofs):
            # A bucket that vanished meanwhile must not look like objects that are gone.
            await self._link.check_marker(thorough=True)
        return proofs

    async def _prove(self, request: ProofRequest) -> Proof:
        async with self._link.reading.place(reading.memory_for(request.size)):
            try:
                found = await self._hash(request.path)
            except FileVanished:
                return Proof(request.path, None, None, ProofMethod.READ_BACK)
        return Proof(request.path, *found, ProofMethod.READ_BACK)

    async def _hash(self, path: str) -> tuple[str, int]:
        store = await self._link.client()
        with self._link.named(path, self._link.reading):
            return await reading.hash_object(store, path, self._link.reading)

    async def fetch(
        self, path: str, into: Path, *, on_bytes: Callable[[int], None] | None = None
    ) -> None:
        """See ``Target.fetch``."""
        check_path(path)
        await self._link.check_marker()
        store = await self._link.client()
        async with self._link.reading.place(reading.memory_for(1 << 62)):
            with self._link.named(path, self._link.reading):
                await reading.copy_out(store, path, into, self._link.reading, on_bytes)

    async def listing(self, folder: str = "") -> AsyncIterator[ListedFile]:
        """See ``Target.listing``."""
        import obstore

        if folder:
            check_path(folder)
        await self._link.check_marker()
        store = await self._link.client()
        with self._link.named():
            async for batch in obstore.list(store, prefix=folder or None):
                for found in batch:
                    name = found["path"].rpartition("/")[2]
                    if name != MARKER_NAME and not is_part(name):
                        yield ListedFile(found["path"], found["size"])

    async def delete(self, path: str) -> None:
        """See ``Target.delete``."""
        import obstore

        check_path(path)
        await self._link.check_marker()
        store = await self._link.client()
        with suppress(FileVanished), self._link.named(path):
            await obstore.delete_async(store, path)

    async def move(self, path: str, to: str) -> bool:
        """See ``MovingTarget.move``: the store copies inside itself, then the old name goes."""
        import obstore

        check_path(path)
        check_path(to)
        await self._link.check_marker()
        store = await self._link.client()
        size = await self._look(path)
        if size is None or await self._look(to) is not None:
            return False
        try:
            with self._link.named(path):
                await obstore.copy_async(store, path, to, overwrite=not self._link.create_only)
        except NameTaken, FileVanished, NameRefused:  # the last: too large for one copy
            return False
        if await self._look(to) != size:
            raise TargetUnavailableError(f"the copy at {to} is not whole", path=to)
        await self.delete(path)
        return True

    async def close(self) -> None:
        """See ``Target.close``."""
        self._link.close()
