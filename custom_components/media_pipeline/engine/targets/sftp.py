"""A folder on an SSH server as a target."""

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from ..config import SftpTargetConfig
from ..errors import PipelineError
from .base import (
    Delivery,
    ListedFile,
    Proof,
    ProofRequest,
    Shipment,
    TargetIdentity,
    TargetInfo,
)
from .hostkey import load_library
from .known_keys import KnownKeys
from .paths import NameTaken, check_path, parent_of
from .sftp_link import SftpLink


class SftpTarget:
    """Copies on an SSH server: a NAS, another computer, a phone.

    One connection carries everything; when it broke, the next call makes a new one. Until then
    calls raise TargetUnreachable. What needs the SSH library is imported after ``open`` loaded it
    off the loop.
    """

    kind = "sftp"

    def __init__(self, config: SftpTargetConfig, identity: TargetIdentity) -> None:
        """``identity`` is what an earlier ``open`` told; empty for a folder never used before."""
        self._config = config
        self.known_keys = KnownKeys(config.host_key, identity.host_keys)
        self._link = SftpLink(config, identity, self.known_keys)

    async def open(self) -> TargetInfo:
        """See ``Target.open``. A folder never used before is tried out before it is marked."""
        self._link.forget_failure()
        await load_library()
        from .sftp_sweep import sweep
        from .ssh_connect import peer_is_local

        session = await self._link.session()
        await sweep(session)
        off_machine = self._config.off_machine
        if off_machine is None:
            off_machine = not peer_is_local(session.conn)
        return TargetInfo(
            identity=TargetIdentity(self._link.marker_id),
            free_bytes=await session.free_bytes(),
            domain=self.known_keys.fingerprints[0],
            off_machine=off_machine,
            remote_hash=self._link.shell is not None,
            other_domains=self.known_keys.fingerprints[1:],
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
        await load_library()
        from .sftp_delivery import deliver

        item = Shipment(source, path, size, sha256, mtime)
        return await deliver(self._link, item, replace=replace, on_bytes=on_bytes)

    @property
    def takes_many(self) -> bool:
        """See ``DeliversMany``: the server has a shell that takes files."""
        return self._link.shell is not None and self._link.streams

    async def deliver_many(
        self, items: Sequence[Shipment], *, on_bytes: Callable[[int], None] | None = None
    ) -> list[Delivery | PipelineError | None]:
        """See ``DeliversMany``."""
        await load_library()
        from .sftp_many import deliver_many

        return await deliver_many(self._link, items, on_bytes)

    @property
    def copies_there(self) -> bool:
        """See ``CopiesThere``: worth while only where the server hashes the new file, too."""
        return self._link.copies

    async def deliver_twin(
        self, item: Shipment, twin: str, *, on_bytes: Callable[[int], None] | None = None
    ) -> Delivery:
        """See ``CopiesThere``."""
        await load_library()
        from .sftp_delivery import deliver

        return await deliver(
            self._link, item, replace=False, on_bytes=on_bytes, twin=check_path(twin)
        )

    async def prove(self, requests: Sequence[ProofRequest]) -> list[Proof]:
        """See ``Target.prove``: the server hashes where it can, else the bytes are read back.

        An unreadable file has a size but no hash.
        """
        await load_library()
        from .sftp_proof import prove

        return await prove(self._link, requests)

    async def fetch(
        self, path: str, into: Path, *, on_bytes: Callable[[int], None] | None = None
    ) -> None:
        """See ``Target.fetch``."""
        check_path(path)
        session = await self._link.session()
        await self._link.check_marker(session)
        from .sftp_reading import copy_out

        await copy_out(session, path, into, self._link.budget, on_bytes)

    async def listing(self, folder: str = "") -> AsyncIterator[ListedFile]:
        """See ``Target.listing``."""
        if folder:
            check_path(folder)
        session = await self._link.session()
        await self._link.check_marker(session)
        from .sftp_reading import list_files

        async for file in list_files(session, folder):
            yield file
        # A disk that vanished meanwhile must not look like files that are gone.
        await self._link.check_marker(session, thorough=True)

    async def delete(self, path: str) -> None:
        """See ``Target.delete``."""
        check_path(path)
        session = await self._link.session()
        await self._link.check_marker(session)
        await session.remove(path)

    async def move(self, path: str, to: str) -> bool:
        """See ``MovingTarget.move``."""
        check_path(path)
        check_path(to)
        session = await self._link.session()
        await self._link.check_marker(session)
        if await session.look(path) is None or await session.look(to) is not None:
            return False
        await session.make_folder(parent_of(to))
        try:
            await session.publish(path, to, replace=False)
        except NameTaken:
            return False
        return True

    async def close(self) -> None:
        """See ``Target.close``."""
        await self._link.close()
