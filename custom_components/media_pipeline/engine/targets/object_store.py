"""A bucket in an object store as a target: S3 and compatible, Google Cloud Storage, Azure."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final

from ..bandwidth import Bandwidth
from ..errors import FileVanished, NameRefused, TargetUnavailableError, TargetUnreachable
from ..marker import MARKER_NAME
from ..model import ProofMethod
from ..names import names_for
from . import object_store_reading as reading
from .base import Delivery, ListedFile, Proof, ProofRequest, TargetIdentity, TargetInfo
from .object_store_access import Door, check_settings, is_this_machine, make_store
from .object_store_config import ObjectStoreTargetConfig
from .object_store_errors import met_another, store_error, timed_out
from .object_store_leftovers import abort_uploads
from .object_store_pace import Pace
from .object_store_upload import SINGLE, memory_for, read_whole, send_in_parts, send_whole
from .paths import NameTaken, check_path, is_part
from .tasks import run_bounded

if TYPE_CHECKING:
    from obstore import Attributes
    from obstore.store import ObjectStore

_PUBLISH_TRIES: Final = 4
_READS: Final = 16
_MARKER_LASTS: Final = 60.0
"""Seconds for which a look at the marker does; a bucket is not unplugged like a disk."""
_QUICK_TIMEOUT: Final = 30.0
_QUICK_RETRIES: Final = 2
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
        self._marker_id = identity.marker_id
        self._owner = identity.owner
        self._marker_read = 0.0
        self._store: ObjectStore | None = None
        self._timeout = 0.0
        self._create_only = False
        self._opening = asyncio.Lock()
        self._sending = Pace(config.parallel)
        self._reading = Pace(_READS)
        self._bandwidth = Bandwidth(config.bandwidth)
        self._attributes: Attributes = (
            {"Storage-Class": config.storage_class} if config.storage_class else {}
        )

    async def open(self) -> TargetInfo:
        """See ``Target.open``. A place never used before is tried out before it is marked.

        Raises also BucketMissing, BucketWrongRegion, CertificateRefused, ClockWrong, TargetBusy,
        InvalidEndpoint, PlainHttpRefused, StorageClassRefused and InvalidStoreKey.
        """
        door = check_settings(self._config)
        async with self._opening:
            self._store = None
            await self._connect()
        return TargetInfo(
            identity=TargetIdentity(self._marker_id),
            free_bytes=None,
            domain=door.domain,
            off_machine=await self._is_off_machine(door),
            remote_hash=False,
        )

    async def _is_off_machine(self, door: Door) -> bool:
        if self._config.off_machine is not None:
            return self._config.off_machine
        return not await asyncio.to_thread(is_this_machine, door)

    async def _connect(self) -> None:
        from .object_store_setup import check_marker, claim, try_out

        store = await asyncio.to_thread(make_store, self._config, _QUICK_TIMEOUT, _QUICK_RETRIES)
        with self._named():
            if self._marker_id is None:
                self._marker_id, self._create_only = await claim(
                    store, self._owner, self._attributes
                )
            else:
                await check_marker(store, self._marker_id)
                self._create_only = await try_out(store, self._attributes)
        self._marker_read = monotonic()
        await abort_uploads(self._config)
        self._timeout = self._sending.timeout
        self._store = await asyncio.to_thread(make_store, self._config, self._timeout)

    async def _client(self) -> ObjectStore:
        """The client, with a time limit that fits what the line showed."""
        if self._store is None:
            check_settings(self._config)
            async with self._opening:
                if self._store is None:
                    await self._connect()
        wanted = max(self._sending.timeout, self._reading.timeout)
        if self._store is None or not 0.5 <= wanted / self._timeout <= 1.5:
            store = await asyncio.to_thread(make_store, self._config, wanted)
            self._store, self._timeout = store, wanted
        return self._store

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
        async with self._sending.place(memory_for(size)):
            await self._check_marker()
            data = None
            if size <= SINGLE:
                data = await asyncio.to_thread(read_whole, source, size, sha256)
            tagged = data is None or not self._create_only
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

        store = await self._client()
        with suppress(FileVanished), self._named(path):
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
        store = await self._client()
        told = report or (lambda _: None)
        try:
            with self._named(name, self._sending):
                if data is None:
                    await send_in_parts(
                        store,
                        name,
                        source,
                        size=size,
                        sha256=sha256,
                        attributes=self._attributes,
                        pace=self._sending,
                        bandwidth=self._bandwidth,
                        report=told,
                    )
                    return
                await self._bandwidth.take(size)
                await send_whole(
                    store,
                    name,
                    data,
                    create=create and self._create_only,
                    attributes=self._attributes,
                    pace=self._sending,
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
        await self._check_marker()
        proofs = await run_bounded([partial(self._prove, request) for request in requests], _READS)
        if any(proof.sha256 is None for proof in proofs):
            # A bucket that vanished meanwhile must not look like objects that are gone.
            await self._check_marker(thorough=True)
        return proofs

    async def _prove(self, request: ProofRequest) -> Proof:
        async with self._reading.place(reading.memory_for(request.size)):
            try:
                found = await self._hash(request.path)
            except FileVanished:
                return Proof(request.path, None, None, ProofMethod.READ_BACK)
        return Proof(request.path, *found, ProofMethod.READ_BACK)

    async def _hash(self, path: str) -> tuple[str, int]:
        store = await self._client()
        with self._named(path, self._reading):
            return await reading.hash_object(store, path, self._reading)

    async def fetch(
        self, path: str, into: Path, *, on_bytes: Callable[[int], None] | None = None
    ) -> None:
        """See ``Target.fetch``."""
        check_path(path)
        await self._check_marker()
        store = await self._client()
        async with self._reading.place(reading.memory_for(1 << 62)):
            with self._named(path, self._reading):
                await reading.copy_out(
                    store, path, into, self._reading, on_bytes or (lambda _: None)
                )

    async def listing(self, folder: str = "") -> AsyncIterator[ListedFile]:
        """See ``Target.listing``."""
        import obstore

        if folder:
            check_path(folder)
        await self._check_marker()
        store = await self._client()
        with self._named():
            async for batch in obstore.list(store, prefix=folder or None):
                for found in batch:
                    name = found["path"].rpartition("/")[2]
                    if name != MARKER_NAME and not is_part(name):
                        yield ListedFile(found["path"], found["size"])

    async def delete(self, path: str) -> None:
        """See ``Target.delete``."""
        import obstore

        check_path(path)
        await self._check_marker()
        store = await self._client()
        with suppress(FileVanished), self._named(path):
            await obstore.delete_async(store, path)

    async def move(self, path: str, to: str) -> bool:
        """See ``MovingTarget.move``: the store copies inside itself, then the old name goes."""
        import obstore

        check_path(path)
        check_path(to)
        await self._check_marker()
        store = await self._client()
        size = await self._look(path)
        if size is None or await self._look(to) is not None:
            return False
        try:
            with self._named(path):
                await obstore.copy_async(store, path, to, overwrite=not self._create_only)
        except NameTaken, FileVanished, NameRefused:  # the last: too large for one copy
            return False
        if await self._look(to) != size:
            raise TargetUnavailableError(f"the copy at {to} is not whole", path=to)
        await self.delete(path)
        return True

    async def close(self) -> None:
        """See ``Target.close``. obstore keeps no connection that would have to be ended."""
        self._store = None

    async def _check_marker(self, *, thorough: bool = False) -> None:
        """Raise MarkerMissing or MarkerForeign; the marker is read now and then."""
        from .object_store_setup import check_marker

        store = await self._client()
        if thorough or monotonic() - self._marker_read > _MARKER_LASTS:
            with self._named():
                await check_marker(store, self._marker_id or "")
            self._marker_read = monotonic()

    @contextmanager
    def _named(self, path: str | None = None, pace: Pace | None = None) -> Iterator[None]:
        """Errors of obstore become ours; ``pace`` hears of those that the line may have caused."""
        from obstore.exceptions import AlreadyExistsError, BaseError

        try:
            yield
        except AlreadyExistsError as err:
            raise NameTaken(path) from err
        except (BaseError, FileNotFoundError, TimeoutError) as err:
            if met_another(err):
                raise NameTaken(path) from err
            error = store_error(err, self._config.bucket, path)
            if pace is not None and isinstance(error, TargetUnreachable):
                pace.failed(timed_out=timed_out(err))
            raise error from err
