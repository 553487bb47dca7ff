"""A Pixel phone as a target: an SFTP server that hands what it gets over to Google Photos.

What lies here for a while is no copy to rely on: nobody but the phone knows what it backed up.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from ..config import SftpTargetConfig
from ..errors import MarkerMissing, PhoneWindowFull, TargetUnreachable, TooLargeForPhone
from ..home import Home
from ..marker import MARKER_NAME
from ..model import Content
from .base import Delivery, ListedFile, Proof, ProofRequest, TargetIdentity, TargetInfo
from .hostkey import load_library
from .phone_scan import Teller, Told
from .sftp import SftpTarget
from .tasks import run_bounded

if TYPE_CHECKING:
    from .sftp_session import Found, SftpSession

_KEEP_BYTES: Final = 2_000_000_000
_KEEP_SHARE: Final = 0.10
_WINDOW_SHARE: Final = 0.60
_LITTLE: Final = 1_000_000_000
"""With less room than this on an emptied phone, it is the phone that is too full for a file."""
_LOOKS_AT_ONCE: Final = 32
_GATE_LASTS: Final = 15.0
"""Seconds for which an answer to "may I send?" does."""


class PhoneModel(StrEnum):
    """What Google Photos does with what such a phone backs up (as of November 2026)."""

    PIXEL_1 = "pixel_1"
    """Pixel and Pixel XL of 2016: original quality, without counting."""
    PIXEL_2_TO_5 = "pixel_2_to_5"
    """Storage saver without counting; original quality counts."""
    OTHER = "other"
    """Everything counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelTargetConfig(SftpTargetConfig):
    """A phone with an SSH server (Termux)."""

    kind: ClassVar[str] = "pixel"
    port: int = 8022
    content: Content = Content.MOTION_PHOTOS
    parallel: int = 4
    hand_off: bool = True
    reserve_bytes: int = _KEEP_BYTES
    model: PhoneModel = PhoneModel.PIXEL_1
    window_bytes: int | None = None
    """The most that our files may take there; None goes by the free space alone."""
    prune: bool = False
    """Remove files of ours when something speaks for that they were backed up."""
    keep_days: int = 14
    """They lie there at least so long."""
    scan_seconds: float = 30.0
    """For one command that tells the phone of new files."""
    charging_entity: str | None = None
    wifi_entity: str | None = None
    wifi_name: str | None = None
    """Of the network; None takes any."""
    temperature_entity: str | None = None
    max_temperature: float = 38.0
    """Of the battery, in the entity's own unit."""
    notify_action: str | None = None
    """Of the companion app, to open Google Photos with."""


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes on the phone."""

    free: int
    total: int

    def window(self, resident: int, most: int | None) -> int:
        """How much all of our files together may take, when ``resident`` bytes lie there now."""
        share = int((self.free + resident) * _WINDOW_SHARE)
        return share if most is None else min(share, most)

    def room(self, resident: int, most: int | None) -> int:
        """How much may be sent now; below 0 when there is too much already."""
        return min(self.window(resident, most) - resident, self.free - self._keep)

    def largest(self, resident: int, most: int | None) -> int:
        """What one file may have at most; a larger one would not go when all of ours were gone.

        A phone that others' files fill is something to wait for, not the file's fault.
        """
        emptied = min(self.window(resident, None), self.free + resident - self._keep)
        fits = max(emptied, _LITTLE)
        return fits if most is None else min(fits, most)

    @property
    def _keep(self) -> int:
        return max(_KEEP_BYTES, int(self.total * _KEEP_SHARE))


class PhoneTarget:
    """Sends within a window, asks before it sends, and can look at what still lies there."""

    kind = "pixel"

    def __init__(self, config: PixelTargetConfig, identity: TargetIdentity) -> None:
        """``identity`` is what an earlier ``open`` told."""
        self._config = config
        self._sftp = SftpTarget(config, identity)
        self.known_keys = self._sftp.known_keys
        self._session: SftpSession | None = None
        self._teller: Teller | None = None
        self._connecting = asyncio.Lock()
        self._room: int | None = None
        self._largest = 0
        self._asked = float("-inf")
        self.home: Home | None = None

    async def open(self) -> TargetInfo:
        """See ``Target.open``. Raises a TargetWaiting while the owner's conditions are not met."""
        await self._ask()
        return await self._sftp.open()

    async def _ask(self) -> None:
        now = time.monotonic()
        if self.home is not None and now - self._asked > _GATE_LASTS:
            await self.home.may_send(self._config)
            self._asked = now

    async def _connected(self) -> SftpSession:
        """A connection beside the one that sends, for looks and commands."""
        await load_library()
        from .sftp_session import SftpSession

        async with self._connecting:
            if self._session is None or not self._session.alive:
                self._session = await SftpSession.start(self._config, self.known_keys)
            return self._session

    async def space(self) -> Space:
        """How much room the phone has. Raises TargetUnreachable when it does not say."""
        session = await self._connected()
        async with session.errors(""):
            found = await session.sftp.statvfs(session.root)
        if not found.blocks:
            raise TargetUnreachable("the phone does not say its space", host=self._config.host)
        return Space(found.bavail * found.frsize, found.blocks * found.frsize)

    async def take_room(self, resident: int) -> None:
        """Reckon what may be sent; ``resident`` bytes of ours lie there now."""
        space = await self.space()
        self._largest = space.largest(resident, self._config.window_bytes)
        self._room = space.room(resident, self._config.window_bytes)

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
        """See ``Target.deliver``. Raises PhoneWindowFull, TooLargeForPhone, a TargetWaiting."""
        await self._ask()
        if self._room is None:
            await self.take_room(0)
        if size > self._largest:
            raise TooLargeForPhone(f"{size} bytes, at most {self._largest} would go")
        if self._room is not None and size > self._room:
            raise PhoneWindowFull(f"{size} bytes, {self._room} left", host=self._config.host)
        self._room = (self._room or 0) - size
        try:
            delivery = await self._sftp.deliver(
                source,
                path,
                size=size,
                sha256=sha256,
                mtime=mtime,
                replace=replace,
                on_bytes=on_bytes,
            )
        except BaseException:  # cancelled too: what did not arrive takes no room
            self._room += size
            raise
        if delivery.already_there:
            self._room += size
        return delivery

    async def look(self, paths: Sequence[str]) -> dict[str, Found]:
        """Which of these files of ours lie there now. MarkerMissing when the folder is gone."""
        session = await self._connected()

        async def look(path: str) -> tuple[str, Found | None]:
            return path, await session.look(path)

        found = await run_bounded([partial(look, path) for path in paths], _LOOKS_AT_ONCE)
        # a folder that went away must not look like files that were freed
        if await session.look(MARKER_NAME) is None:
            raise MarkerMissing(f"the marker vanished from {session.root}", path=session.root)
        return {path: there for path, there in found if there is not None and there.regular}

    async def tell(self, paths: Sequence[str]) -> Told:
        """Have the phone look at files, so that its apps see them; see ``Teller``."""
        session = await self._connected()
        if self._teller is None or self._teller.conn is not session.conn:
            self._teller = Teller(session.conn, session.root, self._config.scan_seconds)
        return await self._teller.tell(paths)

    async def prove(self, requests: Sequence[ProofRequest]) -> list[Proof]:
        """See ``Target.prove``: true at that moment, and no more."""
        return await self._sftp.prove(requests)

    async def fetch(
        self, path: str, into: Path, *, on_bytes: Callable[[int], None] | None = None
    ) -> None:
        """See ``Target.fetch``."""
        await self._sftp.fetch(path, into, on_bytes=on_bytes)

    async def listing(self, folder: str = "") -> AsyncIterator[ListedFile]:
        """See ``Target.listing``."""
        async for file in self._sftp.listing(folder):
            yield file

    async def delete(self, path: str) -> None:
        """See ``Target.delete``."""
        await self._sftp.delete(path)

    async def close(self) -> None:
        """See ``Target.close``."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
        await self._sftp.close()
