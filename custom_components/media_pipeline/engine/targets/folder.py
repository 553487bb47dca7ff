"""A folder on mounted storage as a target."""

import asyncio
import errno
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Event, Lock, Thread, current_thread
from typing import Final

from ..bucket import Bucket
from ..config import FolderTargetConfig
from ..errors import PipelineError, TargetUnavailableError, TargetUnreachable
from ..marker import FolderIdentity, check_folder
from ..model import ProofMethod
from .base import Delivery, ListedFile, Proof, ProofRequest, TargetIdentity, TargetInfo
from .folder_delivery import Sending, send
from .folder_setup import claim, recognise
from .local_files import OpenRoot, target_error
from .local_reading import copy_out, list_directory
from .paths import check_path, parent_of
from .tasks import run_bounded, run_in_pool

_LOGGER: Final = logging.getLogger(__name__)
_THREADS: Final = 4
_SWEEP_SECONDS: Final = 3.0


class FolderTarget:
    """Copies in a folder: on a second disk, or on a share that the system mounted."""

    kind = "folder"

    def __init__(self, config: FolderTargetConfig, identity: TargetIdentity) -> None:
        """``identity`` is what an earlier ``open`` told; empty for a folder never used before."""
        self._config = config
        self._root = config.path
        self._identity = identity
        self._known: FolderIdentity | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._started: list[Thread] = []
        self._bucket = Bucket(config.bandwidth)
        self._counting = Lock()

    async def open(self) -> TargetInfo:
        """See ``Target.open``. A folder never used before is tried out before it is marked."""
        return await run_in_pool(self._pool, self._open)

    def _open(self, _stop: Event) -> TargetInfo:
        try:
            if self._identity.marker_id:
                known = recognise(self._root, self._identity)
            else:
                known = claim(self._root, self._identity.owner)
            with OpenRoot(self._root, known) as root:
                root.check()
                root.sweep(_SWEEP_SECONDS)
                free = root.free_bytes()
        except OSError as err:
            raise target_error(err, str(self._root)) from err
        self._known = known
        return TargetInfo(
            identity=TargetIdentity(known.marker_id, known.device_id),
            free_bytes=free,
            domain=known.device_id,
            off_machine=bool(self._config.off_machine),
            remote_hash=False,
        )

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
        await self._ready()
        tell = _from_thread(on_bytes)

        def work(stop: Event) -> Delivery:
            def report(count: int) -> None:
                tell(count)
                stop.wait(self._pace(count))

            reserve = self._config.reserve_bytes
            sending = Sending(source, size, sha256, mtime, replace, reserve, stop, report)
            with self._opened(path) as root:
                return send(root, path, sending)

        return await run_in_pool(self._pool, work)

    async def prove(self, requests: Sequence[ProofRequest]) -> list[Proof]:
        """See ``Target.prove``: reads back from disk. An unreadable file has a size but no hash."""
        await self._ready()
        await run_in_pool(self._pool, self._check)

        async def one(request: ProofRequest) -> Proof:
            return await run_in_pool(self._pool, partial(self._prove, request))

        proofs = await run_bounded([partial(one, request) for request in requests], _THREADS)
        # A mount that vanished meanwhile must not look like files that are gone.
        await run_in_pool(self._pool, self._check)
        return proofs

    def _prove(self, request: ProofRequest, stop: Event) -> Proof:
        path = check_path(request.path)
        method = ProofMethod.READ_BACK
        try:
            with OpenRoot(self._root, self._expected()) as root:
                try:
                    found = root.hash_file(path, stop)
                except OSError as err:
                    if err.errno != errno.EIO:
                        raise
                    _LOGGER.warning("A file at a folder target can't be read: %s", err)
                    info = root.look(path)
                    return Proof(path, None, info.st_size if info else None, method)
        except OSError as err:
            raise target_error(err, path) from err
        return Proof(path, *found, method) if found else Proof(path, None, None, method)

    async def fetch(
        self, path: str, into: Path, *, on_bytes: Callable[[int], None] | None = None
    ) -> None:
        """See ``Target.fetch``."""
        check_path(path)
        await self._ready()
        report = _from_thread(on_bytes)

        def work(stop: Event) -> None:
            with self._opened(path) as root:
                copy_out(root, path, into, stop, report)

        await run_in_pool(self._pool, work)

    async def listing(self, folder: str = "") -> AsyncIterator[ListedFile]:
        """See ``Target.listing``."""
        waiting = [check_path(folder) if folder else ""]
        await self._ready()

        def work(inside: str, _stop: Event) -> tuple[list[ListedFile], list[str]]:
            with self._opened(inside) as root:
                return list_directory(root, inside)

        while waiting:
            files, folders = await run_in_pool(self._pool, partial(work, waiting.pop()))
            waiting += folders
            for file in files:
                yield file

    async def delete(self, path: str) -> None:
        """See ``Target.delete``."""
        check_path(path)
        await self._ready()

        def work(_stop: Event) -> None:
            with self._opened(path) as root:
                if root.remove(path):
                    root.flush_directory(parent_of(path))

        await run_in_pool(self._pool, work)

    async def move(self, path: str, to: str) -> bool:
        """See ``MovingTarget.move``."""
        check_path(path)
        check_path(to)
        await self._ready()

        def work(_stop: Event) -> bool:
            with self._opened(path) as root:
                if root.look(path) is None:
                    return False
                root.make_parents(to)
                try:
                    root.publish(path, to, replace=False)
                except FileExistsError:
                    return False
                root.flush_directory(parent_of(path))
                return True

        return await run_in_pool(self._pool, work)

    async def close(self) -> None:
        """See ``Target.close``."""
        self._known = None
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None
        # A thread that hangs on dead storage is left behind.
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                while any(t.is_alive() for t in self._started):  # noqa: ASYNC110 - no event
                    await asyncio.sleep(0.002)
        self._started.clear()

    def _pace(self, count: int) -> float:
        """Seconds to wait after this many bytes; the threads share one limit."""
        with self._counting:
            return self._bucket.take(count)

    @property
    def _pool(self) -> ThreadPoolExecutor:
        # Own threads: storage that hangs must not take those of the other parts of the engine.
        if self._threads is None:
            self._threads = ThreadPoolExecutor(
                _THREADS,
                "media-pipeline-folder",
                initializer=lambda: self._started.append(current_thread()),
            )
        return self._threads

    async def _ready(self) -> None:
        if self._known is None:
            await self.open()

    def _expected(self) -> FolderIdentity:
        if self._known is None:
            raise TargetUnreachable("not open", path=str(self._root))
        return self._known

    @contextmanager
    def _opened(self, path: str) -> Iterator[OpenRoot]:
        """The checked root; errors of its file system become ours."""
        try:
            with OpenRoot(self._root, self._expected()) as root:
                root.check()
                yield root
        except FileNotFoundError as err:
            raise self._lost(err) from err
        except OSError as err:
            raise target_error(err, path) from err

    def _check(self, _stop: Event) -> None:
        with self._opened(str(self._root)):
            return

    def _lost(self, err: FileNotFoundError) -> PipelineError:
        """Why a path that must be there is not: mostly a mount that vanished."""
        try:
            check_folder(self._root, self._expected())
        except TargetUnavailableError as reason:
            return reason
        return TargetUnreachable(f"{self._root}: {err}", path=str(self._root))


def _from_thread(on_bytes: Callable[[int], None] | None) -> Callable[[int], None]:
    """What a thread may call so that ``on_bytes`` is called on this loop."""
    loop = asyncio.get_running_loop()

    def tell(count: int) -> None:
        if on_bytes is not None:
            loop.call_soon_threadsafe(on_bytes, count)

    return tell
