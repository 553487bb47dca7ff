"""Sending one file to an object store. It appears there whole, or not at all.

obstore is imported by whoever made the client, off the loop; here it is there already.
"""

import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, BinaryIO, Final

from ..bandwidth import Bandwidth
from ..errors import FileVanished, SourceFileChanged
from .object_store_pace import Pace

if TYPE_CHECKING:
    from obstore import Attributes
    from obstore.store import ObjectStore

SINGLE: Final = 32 << 20
"""Files up to this many bytes go in one request, which can be told never to overwrite."""
_PART: Final = 8 << 20
_MOST_PARTS: Final = 9000
"""S3 and Google take 10,000 parts of one object."""
_PARTS_AT_ONCE: Final = 2


def part_size(size: int) -> int:
    """Bytes of each part of a file that goes in several, in whole MiB."""
    return max(_PART, -(-size // _MOST_PARTS >> 20) << 20)


def memory_for(size: int) -> int:
    """Bytes that sending a file of ``size`` bytes holds in memory."""
    return size if size <= SINGLE else part_size(size) * (_PARTS_AT_ONCE + 1)


def read_whole(source: Path, size: int, sha256: str) -> bytes:
    """The bytes of a small file, proven. Blocking; raises FileVanished and SourceFileChanged."""
    try:
        with open_source(source, size) as file:
            data = file.read(size + 1)
    except OSError as err:
        raise FileVanished(f"{source}: {err}", path=str(source)) from err
    if len(data) != size or hashlib.sha256(data).hexdigest() != sha256:
        raise _changed(source)
    return data


def open_source(source: Path, size: int) -> BinaryIO:
    """Open a file that must have ``size`` bytes. Blocking; raises as ``read_whole`` does."""
    try:
        file = source.open("rb")
    except OSError as err:
        raise FileVanished(f"{source}: {err}", path=str(source)) from err
    if os.fstat(file.fileno()).st_size != size:
        file.close()
        raise _changed(source)
    return file


def _changed(source: Path) -> SourceFileChanged:
    return SourceFileChanged(f"{source} changed since it was proven", path=str(source))


async def send_whole(
    store: ObjectStore, path: str, data: bytes, *, create: bool, attributes: Attributes, pace: Pace
) -> None:
    """Send a small file in one request; with ``create`` it fails when something lies there.

    Raises what obstore raises: AlreadyExistsError among others.
    """
    import obstore

    begun = monotonic()
    await obstore.put_async(
        store,
        path,
        data,
        attributes=attributes,
        mode="create" if create else "overwrite",
        use_multipart=False,
    )
    pace.arrived(len(data), monotonic() - begun)


async def send_in_parts(
    store: ObjectStore,
    path: str,
    source: Path,
    *,
    size: int,
    sha256: str,
    attributes: Attributes,
    pace: Pace,
    bandwidth: Bandwidth,
    report: Callable[[int], None],
) -> None:
    """Send a large file, hashed while it is read; what differs is never put together there."""
    import obstore

    step = part_size(size)
    digest = hashlib.sha256()
    file = await asyncio.to_thread(open_source, source, size)

    def next_part() -> bytes:
        try:
            data = file.read(step)
        except OSError as err:
            raise FileVanished(f"{source}: {err}", path=str(source)) from err
        digest.update(data)
        return data

    begun, left = monotonic(), size
    writer: obstore.AsyncWritableFile | None = None
    try:
        writer = obstore.open_writer_async(
            store, path, attributes=attributes, buffer_size=step, max_concurrency=_PARTS_AT_ONCE
        )
        while left > 0:
            data = await asyncio.to_thread(next_part)
            left -= len(data)
            proven = left == 0 and digest.hexdigest() == sha256
            if not data or (left <= 0 and not proven):
                raise _changed(source)  # before the last part: the object is never finished
            await bandwidth.take(len(data))
            await writer.write(data)
            report(len(data))
        await writer.close()
    finally:
        del writer  # its requests end now, not when the traceback is forgotten
        await asyncio.to_thread(file.close)
    seconds = monotonic() - begun
    pace.arrived(size, seconds, parts=-(-size // step))
