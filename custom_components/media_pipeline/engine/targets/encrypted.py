"""Any kind of target, with files that only the owner of a key can read.

Each file is encrypted in the age format to a file of ours, opened again and compared, and only then
sent, as ``<path>.age``. Copies that were sent before encryption was turned on stay as they are.
"""

import asyncio
import hashlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from secrets import token_hex
from threading import Event
from typing import BinaryIO, Final

from ..age.files import decrypt, encrypt
from ..age.keys import AgeKey
from ..config import EncryptionConfig
from ..errors import (
    EncryptedFileDamaged,
    EncryptionKeyDiffers,
    FileVanished,
    LocalWriteFailed,
    SourceFileChanged,
    WrongEncryptionKey,
)
from .base import Delivery, ListedFile, MovingTarget, Proof, ProofRequest, Target, TargetInfo
from .known_keys import KnowsServer
from .landing import Landing
from .local_files import Stopped
from .tasks import run_in_pool

_LOGGER: Final = logging.getLogger(__name__)
SUFFIX: Final = ".age"
CHECK: Final = "encryption-check.age"
"""A small file that tells at once whether a key is the right one."""
NAMES: Final = "names.txt"
"""Where names are hidden, which file is which; it lies there encrypted."""
_LISTS: Final = "SHA256SUMS"
"""Lists of checksums stay readable: ``sha256sum -c`` needs no key."""
_AT_ONCE: Final = 4
_RESERVE: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class _Staged:
    path: Path
    size: int
    sha256: str


class EncryptedTarget:
    """See ``Target``; all but the bytes is as the wrapped target does it."""

    def __init__(self, inner: Target, target_id: str, config: EncryptionConfig) -> None:
        """Raises InvalidEncryptionKey."""
        self.kind = inner.kind
        self._inner = inner
        self._key = AgeKey.parse(config.key)
        self._hide_names = config.hide_names
        self._staging = config.staging or Path(tempfile.gettempdir())
        self._prefix = f"encrypted-{target_id}-"
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._pool = ThreadPoolExecutor(2, "media-pipeline-encrypt")
        if isinstance(inner, MovingTarget):  # a name is no matter of encryption
            self.move = inner.move
        if isinstance(inner, KnowsServer):
            self.known_keys = inner.known_keys

    async def open(self) -> TargetInfo:
        """See ``Target.open``. Raises EncryptionKeyDiffers when our key opens nothing there."""
        info = await self._inner.open()
        await run_in_pool(self._pool, self._sweep)
        with self._temporary() as part:
            try:
                await self._inner.fetch(CHECK, part)
            except FileVanished:
                await self._write_check()
                return info
            try:
                await run_in_pool(self._pool, partial(self._read, part))
            except (WrongEncryptionKey, EncryptedFileDamaged) as err:
                raise EncryptionKeyDiffers(f"{CHECK}: {err.detail}") from err
        return info

    async def _write_check(self) -> None:
        text = f"Encrypted by Media Pipeline for {self._key.recipient}\n".encode()
        with self._temporary() as part:
            await run_in_pool(self._pool, lambda _stop: part.write_bytes(text))
            await self.deliver(
                part,
                CHECK.removesuffix(SUFFIX),
                size=len(text),
                sha256=hashlib.sha256(text).hexdigest(),
                mtime=time.time(),
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
        send = partial(self._inner.deliver, mtime=mtime, replace=replace, on_bytes=on_bytes)
        if path.rpartition("/")[2].startswith(_LISTS):
            return await send(source, path, size=size, sha256=sha256)
        final = path if replace and path.endswith(SUFFIX) else self._name(path) + SUFFIX
        async with self._slots:
            with self._temporary() as part:
                work = partial(self._encrypt, source, part, size, sha256)
                staged = await run_in_pool(self._pool, work)
                sent = await send(staged.path, final, size=staged.size, sha256=staged.sha256)
        return _with_stored(sent, staged)

    def _name(self, path: str) -> str:
        """The same for the same path, and telling nothing of it."""
        if not self._hide_names or path in {NAMES, CHECK.removesuffix(SUFFIX)}:
            return path
        name = self._key.derive("name", path.encode()).hex()
        return f"{name[:2]}/{name[2:34]}"

    def _encrypt(self, source: Path, part: Path, size: int, sha256: str, stop: Event) -> _Staged:
        try:
            plain = source.open("rb", buffering=0)
        except OSError as err:
            raise FileVanished(f"{source}: {err}", path=str(source)) from err
        with plain, _writing(part):
            if shutil.disk_usage(part.parent).free < size + _RESERVE:
                raise LocalWriteFailed(f"no room to encrypt {size} bytes", path=str(part.parent))
            with open(part, "xb", opener=_private) as out:
                stored_size, stored, _ = encrypt(
                    _reader(plain, stop, source), out.write, self._key, sha256
                )
        if self._read(part, stop) != (size, sha256):
            raise SourceFileChanged(f"{source} is not what it was encrypted to", path=str(source))
        return _Staged(part, stored_size, stored)

    def _read(self, part: Path, stop: Event) -> tuple[int, str]:
        """Size and SHA-256 of what an encrypted file holds."""
        with _writing(part), part.open("rb", buffering=0) as stored:
            return decrypt(_reader(stored, stop, part), lambda _: None, self._key)

    async def prove(self, requests: Sequence[ProofRequest]) -> list[Proof]:
        """See ``Target.prove``: of the bytes as they lie there, encrypted."""
        return await self._inner.prove(
            [replace(r, local=None) if r.path.endswith(SUFFIX) else r for r in requests]
        )

    async def fetch(
        self, path: str, into: Path, *, on_bytes: Callable[[int], None] | None = None
    ) -> None:
        """See ``Target.fetch``. Raises WrongEncryptionKey and EncryptedFileDamaged besides."""
        if not path.endswith(SUFFIX):
            await self._inner.fetch(path, into, on_bytes=on_bytes)
            return
        async with self._slots:
            with self._temporary() as part:
                await self._inner.fetch(path, part, on_bytes=on_bytes)
                await run_in_pool(self._pool, partial(self._decrypt, part, into))

    def _decrypt(self, part: Path, into: Path, stop: Event) -> None:
        with _writing(part), part.open("rb", buffering=0) as stored, Landing(into) as landing:
            decrypt(_reader(stored, stop, part), landing.write, self._key)

    async def listing(self, folder: str = "") -> AsyncIterator[ListedFile]:
        """See ``Target.listing``."""
        async for file in self._inner.listing(folder):
            if file.path not in {CHECK, NAMES + SUFFIX}:
                yield file

    async def delete(self, path: str) -> None:
        """See ``Target.delete``."""
        await self._inner.delete(path)

    async def close(self) -> None:
        """See ``Target.close``."""
        await self._inner.close()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = ThreadPoolExecutor(2, "media-pipeline-encrypt")

    @contextmanager
    def _temporary(self) -> Iterator[Path]:
        """A path for a file of ours that is not there yet, and is gone afterwards."""
        part = self._staging / f"{self._prefix}{token_hex(8)}"
        try:
            yield part
        finally:
            with suppress(OSError):
                part.unlink()

    def _sweep(self, _stop: Event) -> None:
        """Remove what a crash left behind more than a day ago."""
        for part in self._staging.glob(f"{self._prefix}*"):
            with suppress(OSError):
                if part.stat().st_mtime < time.time() - 86400:
                    part.unlink()


def _with_stored(sent: Delivery, staged: _Staged) -> Delivery:
    return replace(sent, size=staged.size, stored_sha256=staged.sha256)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@contextmanager
def _writing(part: Path) -> Iterator[None]:
    """Errors of our own disk become ours."""
    try:
        yield
    except OSError as err:
        raise LocalWriteFailed(f"{part}: {err}", path=str(part)) from err


def _reader(file: BinaryIO, stop: Event, path: Path) -> Callable[[int], bytes]:
    """Read until somebody wants the work to end. Raises Stopped, FileVanished."""

    def read(size: int) -> bytes:
        if stop.is_set():
            raise Stopped
        try:
            return file.read(size) or b""
        except OSError as err:
            raise FileVanished(f"{path}: {err}", path=str(path)) from err

    return read
