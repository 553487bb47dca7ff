"""A folder on an SSH server as a target."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..config import SftpTargetConfig
from ..errors import (
    MarkerMissing,
    NameRefused,
    PipelineError,
    TargetFull,
    TargetReadOnly,
    TargetUnreachable,
)
from ..marker import MARKER_NAME
from ..model import ProofMethod
from ..names import names_for
from .base import Delivery, ListedFile, Proof, ProofRequest, TargetIdentity, TargetInfo
from .hostkey import load_library, parse_host_key
from .paths import NameTaken, check_path, parent_of, part_path
from .tasks import run_bounded, run_together

if TYPE_CHECKING:
    from .remote_hash import RemoteShell
    from .sftp_session import Found, SftpSession
    from .sftp_transfer import Budget

_LOGGER: Final = logging.getLogger(__name__)
_PUBLISH_TRIES: Final = 4
_PARALLEL_READS: Final = 4
_PARALLEL_LOOKS: Final = 64
_NAMES_AT_ONCE: Final = 3
_MARKER_LASTS: Final = 10.0
"""Seconds for which a look at the marker's name does; its text takes two round trips more."""
_FAILURE_LASTS: Final = 5.0
"""Seconds for which callers that waited for a failed connection get its error, not another try."""


class SftpTarget:
    """Copies on an SSH server: a NAS, another computer, a phone.

    One connection carries everything; when it broke, the next call makes a new one. Until then
    calls raise TargetUnreachable.
    """

    kind = "sftp"

    def __init__(self, config: SftpTargetConfig, identity: TargetIdentity) -> None:
        """``identity`` is what an earlier ``open`` told; empty for a folder never used before."""
        self._config = config
        self._marker_id = identity.marker_id
        self._session: SftpSession | None = None
        self._shell: RemoteShell | None = None
        self._shell_known = False
        self._connecting = asyncio.Lock()
        self._failure: tuple[float, PipelineError] | None = None
        self._slots = asyncio.Semaphore(max(1, config.parallel))
        self._budget: Budget | None = None
        self._hashing = asyncio.Semaphore(2)  # servers allow about ten channels
        self._marker_read = 0.0
        self._orphans: set[str] = set()

    async def open(self) -> TargetInfo:
        """See ``Target.open``. A folder never used before is tried out before it is marked."""
        self._failure = None
        await load_library()
        from .sftp_setup import sweep
        from .ssh_connect import peer_is_local

        session = await self._connected()
        await sweep(session)
        off_machine = self._config.off_machine
        if off_machine is None:
            off_machine = not peer_is_local(session.conn)
        return TargetInfo(
            identity=TargetIdentity(self._marker_id),
            free_bytes=await session.free_bytes(),
            domain=parse_host_key(self._config.host_key).fingerprint,
            off_machine=off_machine,
            remote_hash=self._shell is not None,
        )

    async def _connected(self) -> SftpSession:
        async with self._connecting:
            if self._session is not None and self._session.alive:
                return self._session
            if self._failure is not None and time.monotonic() - self._failure[0] < _FAILURE_LASTS:
                error = self._failure[1]
                raise type(error)(error.detail, **error.placeholders)
            await self._drop()
            try:
                self._session = await self._connect()
            except PipelineError as err:
                self._failure = (time.monotonic(), err)
                raise
            self._failure = None
            return self._session

    async def _connect(self) -> SftpSession:
        await load_library()
        from .sftp_session import SftpSession
        from .sftp_setup import check_marker, claim, try_out
        from .sftp_transfer import Budget

        self._budget = self._budget or Budget()
        session = await SftpSession.start(self._config)
        try:
            if self._marker_id is None:
                self._marker_id, self._shell = await claim(session, self._budget)
            else:
                await check_marker(session, self._marker_id)
                if not self._shell_known:
                    self._shell = await try_out(session, self._budget)
            self._shell_known = True
            self._marker_read = time.monotonic()
            for path in list(self._orphans):
                await session.remove(path)
                self._orphans.discard(path)
        except BaseException:  # cancelled too: no session may stay open
            await session.close()
            raise
        return session

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
            session = await self._connected()
            final, ours, free = await self._choose(session, path, size, sha256, replace=replace)
            if ours:
                return Delivery(final, size, already_there=True)
            if free is not None and free < size + self._config.reserve_bytes:
                raise TargetFull(f"no room for {size} bytes", path=session.root)
            await session.make_folder(parent_of(final))
            part = part_path(final)
            self._orphans.add(part)
            try:
                await self._upload(session, source, part, size, sha256, on_bytes)
                delivery = await self._publish(
                    session, part, final, path, size, sha256, mtime, replace=replace
                )
            except BaseException:  # cancelled too: no half file may stay behind
                await self._discard(session, part)
                raise
            if delivery.already_there:
                await self._discard(session, part)
            self._orphans.discard(part)
            return delivery

    async def _choose(
        self, session: SftpSession, path: str, size: int, sha256: str, *, replace: bool
    ) -> tuple[str, bool, int | None]:
        """The name to use, whether our bytes are there already, and the free space."""
        names = list(names_for(path, sha256))
        found: dict[str, Found | None] = {}
        free: int | None = None

        async def look(name: str) -> None:
            found[name] = await session.look(name)

        async def ask_space() -> None:
            nonlocal free
            free = await session.free_bytes()

        # The requests travel together, in one round trip; more names are hardly ever needed.
        first = map(look, names[:_NAMES_AT_ONCE])
        await run_together([self._check_marker(session), ask_space(), *first])
        for name in names:
            if name not in found:
                await look(name)
            there = found[name]
            if there is None:
                return name, False, free
            if there.regular:
                same_size = there.size == size
                if same_size and (await self._hash(session, {name: size})).get(name) == sha256:
                    return name, True, free
                if replace and name == path:
                    return name, False, free
        raise NameRefused(f"all names for {path} are taken", path=path)

    async def _upload(
        self,
        session: SftpSession,
        source: Path,
        part: str,
        size: int,
        sha256: str,
        on_bytes: Callable[[int], None] | None,
    ) -> None:
        from .sftp_transfer import upload

        await upload(
            session,
            source,
            part,
            size=size,
            sha256=sha256,
            budget=self._require_budget(),
            on_bytes=on_bytes,
        )

    async def _publish(
        self,
        session: SftpSession,
        part: str,
        final: str,
        path: str,
        size: int,
        sha256: str,
        mtime: float,
        *,
        replace: bool,
    ) -> Delivery:
        ours = False
        for _ in range(_PUBLISH_TRIES):
            replacing = replace and final == path
            with suppress(NameTaken):
                await self._last_look(session, part, final, mtime, replacing=replacing)
                await session.publish(part, final, replace=replacing)
                return Delivery(final, size)
            final, ours, _ = await self._choose(session, path, size, sha256, replace=replace)
            if ours:
                return Delivery(final, size, already_there=True)
        raise TargetUnreachable(f"somebody else keeps writing {path}", path=path)

    async def _last_look(
        self, session: SftpSession, part: str, final: str, mtime: float, *, replacing: bool
    ) -> None:
        """Set the time, and see that the disk is still there and the name free, in one round trip.

        Some servers overwrite on a plain rename, against the standard; so the name is looked at.
        """

        async def name() -> None:
            if not replacing and await session.look(final) is not None:
                raise NameTaken(final)

        async def time_() -> None:
            await session.set_time(part, mtime)

        await run_together([time_(), self._check_marker(session), name()])

    async def _discard(self, session: SftpSession, part: str) -> None:
        """Remove a part file now, or after the next connection when this one is lost."""
        if session.alive:
            with suppress(PipelineError, TimeoutError):
                async with asyncio.timeout(10):
                    await session.remove(part)
                self._orphans.discard(part)

    async def prove(self, requests: Sequence[ProofRequest]) -> list[Proof]:
        """See ``Target.prove``: the server hashes where it can, else the bytes are read back.

        An unreadable file has a size but no hash.
        """
        paths = [check_path(request.path) for request in requests]
        session = await self._connected()
        await self._check_marker(session)

        async def look(path: str) -> Found | None:
            return await session.look(path)

        looks = [partial(look, path) for path in paths]
        found = dict(zip(paths, await run_bounded(looks, _PARALLEL_LOOKS), strict=True))
        sizes = {path: there.size for path, there in found.items() if there and there.regular}
        hashes, remote = await self._hash_with_method(session, sizes)
        if len(hashes) < len(found):
            # A disk that vanished meanwhile must not look like files that are gone.
            await self._check_marker(session, thorough=True)
        return [
            Proof(
                path,
                hashes.get(path),
                sizes.get(path),
                ProofMethod.REMOTE_HASH if path in remote else ProofMethod.READ_BACK,
            )
            for path in paths
        ]

    async def _hash(self, session: SftpSession, sizes: dict[str, int]) -> dict[str, str]:
        hashes, _ = await self._hash_with_method(session, sizes)
        return hashes

    async def _hash_with_method(
        self, session: SftpSession, sizes: dict[str, int]
    ) -> tuple[dict[str, str], set[str]]:
        """SHA-256 of files (path → size), and which of them the server hashed itself."""
        from .remote_hash import hash_files

        hashes: dict[str, str] = {}
        if self._shell is not None and sizes:
            async with self._hashing:
                hashes = await hash_files(session.conn, self._shell, list(sizes.items()))
        remote = set(hashes)
        left = [partial(self._read_back, session, path) for path in sizes if path not in hashes]
        for path, sha256 in await run_bounded(left, _PARALLEL_READS):
            if sha256 is not None:
                hashes[path] = sha256
        return hashes, remote

    async def _read_back(self, session: SftpSession, path: str) -> tuple[str, str | None]:
        from .sftp_transfer import read_back

        try:
            result = await read_back(session, path, self._require_budget())
        except (TargetFull, TargetReadOnly) as err:  # the server's refusal to read this one
            _LOGGER.warning("A file at an SFTP target can't be read: %s", err)
            await self._check_marker(session, thorough=True)
            return path, None
        return path, result[0] if result else None

    async def fetch(
        self, path: str, into: Path, *, on_bytes: Callable[[int], None] | None = None
    ) -> None:
        """See ``Target.fetch``."""
        check_path(path)
        session = await self._connected()
        await self._check_marker(session)
        from .sftp_reading import copy_out

        await copy_out(session, path, into, self._require_budget(), on_bytes)

    async def listing(self, folder: str = "") -> AsyncIterator[ListedFile]:
        """See ``Target.listing``."""
        if folder:
            check_path(folder)
        session = await self._connected()
        await self._check_marker(session)
        from .sftp_reading import list_files

        async for file in list_files(session, folder):
            yield file
        # A disk that vanished meanwhile must not look like files that are gone.
        await self._check_marker(session, thorough=True)

    async def delete(self, path: str) -> None:
        """See ``Target.delete``."""
        check_path(path)
        session = await self._connected()
        await self._check_marker(session)
        await session.remove(path)

    async def close(self) -> None:
        """See ``Target.close``."""
        async with self._connecting:
            await self._drop()

    async def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _check_marker(self, session: SftpSession, *, thorough: bool = False) -> None:
        """Raise MarkerMissing or MarkerForeign; its text is read now and then, its name always."""
        from .sftp_setup import check_marker

        now = time.monotonic()
        if thorough or now - self._marker_read > _MARKER_LASTS:
            await check_marker(session, self._marker_id or "")
            self._marker_read = now
        elif await session.look(MARKER_NAME) is None:
            raise MarkerMissing(f"the marker vanished from {session.root}", path=session.root)

    def _require_budget(self) -> Budget:
        if self._budget is None:
            raise TargetUnreachable("not open", host=self._config.host)
        return self._budget
