"""Many small files in one stream: unpacked and hashed at the server, then published one by one.

Imports asyncssh: load it off the loop.
"""

import asyncio
import hashlib
import tarfile
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from shlex import quote
from typing import Final

import asyncssh

from ..errors import FileVanished, NameRefused, PipelineError, SourceFileChanged
from .base import Delivery, Shipment
from .paths import NameTaken, check_path, parent_of, part_path
from .remote_hash import RemoteShell, parse_hashes, slowest_seconds
from .sftp_link import SftpLink
from .sftp_proof import look_at
from .sftp_session import SftpSession
from .sftp_stream import PIECE, StreamRefused, pour
from .sftp_sweep import remove_part
from .tasks import run_bounded

_PARALLEL: Final = 128
_BLOCK: Final = tarfile.BLOCKSIZE
_LIST: Final = "list"
_RECORD: Final = tarfile.RECORDSIZE

type Result = Delivery | PipelineError | None


async def deliver_many(
    link: SftpLink, items: Sequence[Shipment], on_bytes: Callable[[int], None] | None
) -> list[Result]:
    """See ``DeliversMany.deliver_many``."""
    results: dict[int, Result] = {}
    wanted: dict[int, Shipment] = {}
    for index, item in enumerate(items):
        try:
            check_path(item.path)
        except NameRefused as err:
            results[index] = err
        else:
            wanted[index] = item
    async with link.streaming:
        session = await link.session()
        if link.shell is not None and link.streams:
            stream = _Stream(link, link.shell, session, on_bytes)
            try:
                results |= await stream.send(wanted)
            except StreamRefused as err:
                await link.stream_refused(session, err)
    return [results.get(index) for index in range(len(items))]


class _Stream:
    """One batch on its way; files are known by their number in it."""

    def __init__(
        self,
        link: SftpLink,
        shell: RemoteShell,
        session: SftpSession,
        on_bytes: Callable[[int], None] | None,
    ) -> None:
        self._link = link
        self._shell = shell
        self._session = session
        self._on_bytes = on_bytes
        self._failed: dict[int, Result] = {}

    async def send(self, wanted: dict[int, Shipment]) -> dict[int, Result]:
        """Deliver those whose name is free; the others are left out of the answer."""
        session, link = self._session, self._link
        await link.check_marker(session)
        there = await look_at(session, sorted({item.path for item in wanted.values()}))
        names: set[str] = set()
        items: dict[int, Shipment] = {}
        for number, item in wanted.items():
            if there[item.path] is None and item.path not in names:
                names.add(item.path)
                items[number] = item
        size = sum(item.size for item in items.values())
        free = await session.free_bytes()
        if not items or (free is not None and free < size + link.config.reserve_bytes):
            return {}
        for folder in sorted({parent_of(item.path) for item in items.values()}):
            await session.make_folder(folder)
        inside = part_path("many")
        link.begin(inside)
        try:
            async with session.errors(inside):
                await session.sftp.mkdir(session.absolute(inside))
            hashes = await self._pour(items, inside, size)
            published = await self._publish(items, inside, hashes)
        except BaseException:  # cancelled too: nothing half may stay behind
            await link.discard(session, inside)
            raise
        await self._clear(inside)
        return self._failed | published

    async def _pour(self, items: dict[int, Shipment], inside: str, size: int) -> dict[str, str]:
        script = (
            f"cd {quote(self._shell.folder)} && cd {quote('./' + inside)} || exit 1\n"
            # what arrived is judged by its hash: tar also complains of times it may not set
            "tar -xof - >/dev/null 2>&1\n"
            "sync -f . 2>/dev/null || sync 2>/dev/null\n"
            f"xargs -0 {self._shell.program} <{_LIST} 2>/dev/null\n"
            "exit 0"
        )
        command = f"sh -c {quote(script)}"
        answer = await pour(
            self._session, command, self._archive(items), seconds=slowest_seconds(size)
        )
        hashes = parse_hashes(answer.decode(errors="replace"))
        if not hashes and len(self._failed) < len(items):
            raise StreamRefused("nothing was unpacked and hashed")
        return hashes

    async def _archive(self, items: dict[int, Shipment]) -> AsyncGenerator[bytes]:
        """The stream: a list of the files, the files, and the end, in pieces of about 1 MiB."""
        piece = _member(_LIST, b"".join(b"./%d\0" % number for number in items), 0, 0o600)
        mode = 0o666 & ~self._shell.umask
        count = 0
        for number, item in items.items():
            try:
                data = await asyncio.to_thread(_read, item)
            except PipelineError as err:
                self._failed[number] = err
                continue
            piece += _member(str(number), data, item.mtime, mode)
            if len(piece) >= PIECE:
                count += len(piece)
                yield await self._sent(piece)
                piece = b""
        piece += bytes(2 * _BLOCK)
        piece += bytes(-(count + len(piece)) % _RECORD)
        yield await self._sent(piece)

    async def _sent(self, piece: bytes) -> bytes:
        if self._on_bytes is not None:
            self._on_bytes(len(piece))
        await self._link.budget.sent(len(piece))
        return piece

    async def _publish(
        self, items: dict[int, Shipment], inside: str, hashes: dict[str, str]
    ) -> dict[int, Result]:
        await self._link.check_marker(self._session)
        right = {n: item for n, item in items.items() if hashes.get(str(n)) == item.sha256}
        work = [partial(self._publish_one, n, item, inside) for n, item in right.items()]
        return {n: result for n, result in await run_bounded(work, _PARALLEL) if result}

    async def _publish_one(self, number: int, item: Shipment, inside: str) -> tuple[int, Result]:
        part = f"{inside}/{number}"
        try:
            if self._link.hard_links and await self._link_to(part, item.path):
                return number, Delivery(item.path, item.size)
            # some servers overwrite on a plain rename, against the standard
            if await self._session.look(item.path) is not None:
                return number, None
            await self._session.publish(part, item.path, replace=False)
        except NameTaken:
            return number, None
        return number, Delivery(item.path, item.size)

    async def _link_to(self, part: str, final: str) -> bool:
        """Give the file its real name as a second one: that never overwrites, on any server."""
        session = self._session
        try:
            async with asyncio.timeout(60):
                await session.sftp.link(session.absolute(part), session.absolute(final))
        except asyncssh.SFTPError as err:
            if not session.alive:
                raise await session.explain(err, final) from err
            if await session.look(final) is not None:
                raise NameTaken(final) from err
            self._link.hard_links = False
            return False
        except (asyncssh.Error, OSError) as err:
            raise await session.explain(err, final) from err
        return True

    async def _clear(self, inside: str) -> None:
        """Remove the folder that the files were unpacked in: one command, or one by one."""
        script = f"cd {quote(self._shell.folder)} && rm -rf {quote('./' + inside)}"

        async def nothing() -> AsyncGenerator[bytes]:
            yield b"\n"

        try:
            await pour(self._session, f"sh -c {quote(script)}", nothing(), seconds=60)
        except StreamRefused:
            await remove_part(self._session, inside)
        self._link.settled(inside)


def _read(item: Shipment) -> bytes:
    """The whole small file, if it still is what the catalog says. Blocking."""
    try:
        with item.source.open("rb") as file:
            data = file.read(item.size + 1)
    except OSError as err:
        raise FileVanished(f"{item.source}: {err}", path=str(item.source)) from err
    if len(data) != item.size or hashlib.sha256(data).hexdigest() != item.sha256:
        raise SourceFileChanged(f"{item.source} changed since it was proven", path=str(item.source))
    return data


def _member(name: str, data: bytes, mtime: float, mode: int) -> bytes:
    """A file as it stands in a tar archive."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mode = mode
    info.mtime = max(0, min(int(mtime), 0xFFFFFFFF))
    return info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % _BLOCK)
