"""Our own files beside an asset: the record (all that the source said, as JSON) and the sidecar.

They are the only files that are ever written anew: whenever the source says something new of the
asset or of its albums.
"""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import batched
from pathlib import PurePosixPath
from time import monotonic
from typing import Final

from ..archive import Archive
from ..catalog import work
from ..catalog.details import details_of
from ..catalog.records import Known, Written, files_written, known_of
from ..errors import PipelineError
from ..model import Role
from ..writing import Writing
from .base import StageContext
from .places import record_place_of
from .xmp import SUFFIX, Told, sidecar

_BATCH: Final = 64
# So many assets are written one after the other: their folders are then flushed once.
_TOGETHER: Final = 16
_PAUSE: Final = 1.0
_REST: Final = 2.0
_FORMAT: Final = 1


async def keep_saving(context: StageContext, ended: asyncio.Event) -> None:
    """Save records beside the downloads until these have ended, then what is left.

    A first download takes days; what iCloud says of a photo shall lie beside it before that.
    """
    took = 0.0
    while not ended.is_set():
        with contextlib.suppress(TimeoutError):
            # the question for what is to be written costs more, the more waits to be fetched
            async with asyncio.timeout(max(_PAUSE, _REST * took)):
                await ended.wait()
        if not ended.is_set():
            began = monotonic()
            await save_records(context)
            took = monotonic() - began
    # also what arrived while the last ones were written
    await save_records(context)


async def save_records(context: StageContext) -> None:
    """Write what is missing or old, of assets whose originals are archived.

    Raises TargetUnavailableError kinds; what was written until then is noted.
    """
    after = 0  # one that changes meanwhile behind this is left to the next run
    while rows := await context.catalog.read(work.records_to_save, _BATCH, after):
        await context.control.checkpoint()
        batch = await context.catalog.read(known_of, rows)
        outcomes = await asyncio.gather(
            *(
                asyncio.to_thread(_write_some, context.archive, some)
                for some in batched(batch, _TOGETHER, strict=False)
            )
        )
        await context.catalog.write(files_written, [one for done, _ in outcomes for one in done])
        for _, failed in outcomes:
            if failed is not None:
                raise failed
        after = rows[-1].id


def _write_some(
    archive: Archive, some: Sequence[Known]
) -> tuple[list[tuple[Known, list[Written]]], PipelineError | None]:
    """Write the files of some assets: what was written, and what ended it early. Blocking."""
    done: list[tuple[Known, list[Written]]] = []
    failed: PipelineError | None = None
    with archive.writing() as writing:
        for known in some:
            try:
                done.append((known, _write(archive, known, writing)))
            except PipelineError as err:
                failed = err
                break
    archive.flush(file.path for _, files in done for file in files)
    return done, failed


def _write(archive: Archive, known: Known, writing: Writing) -> list[Written]:
    """Write both files of one asset. Blocking."""
    asset = known.asset
    data = record_bytes(known)
    place = archive.write_record(record_place_of(asset), data, asset.key, writing)
    written = [_written(Role.RECORD, place, data)]
    wanted = sidecar_place_of(known)
    if wanted is None:
        return written
    told = Told(details_of(asset), asset.captured, asset.favorite, known.albums)
    before = known.written.get(Role.XMP)
    # a folder's files say all this themselves; iCloud's database knows more than its files do
    if before is not None or asset.master_key is not None or told.anything:
        data = sidecar(told)
        last = before.sha256 if before is not None else None
        place = archive.write_sidecar(wanted, data, last, writing)
        written.append(_written(Role.XMP, place, data))
    return written


def sidecar_place_of(known: Known) -> str | None:
    """Where the sidecar goes: beside the archived original, whatever name that got."""
    for row in known.originals:
        if row.role == Role.ORIGINAL and row.path and PurePosixPath(row.path).suffix != SUFFIX:
            return str(row.path) + SUFFIX
    return None


def _written(role: Role, place: str, data: bytes) -> Written:
    return Written(role, place, hashlib.sha256(data).hexdigest(), len(data))


def record_bytes(known: Known) -> bytes:
    """The text of the record file."""
    asset = known.asset
    details = {name: value for name, value in asdict(details_of(asset)).items() if value}
    return (
        json.dumps(
            {
                "format": _FORMAT,
                "key": asset.key,
                "library": asset.library,
                "filename": asset.filename,
                "details": details,
                "albums": known.albums,
                "files": [
                    {
                        "role": row.role,
                        "path": row.path,
                        "size": row.size,
                        "sha256": row.sha256,
                        "source_checksum": row.checksum,
                    }
                    for row in known.originals
                ],
                "source": json.loads(asset.raw),
            },
            indent=1,
            sort_keys=True,
            ensure_ascii=False,
        )
        + "\n"
    ).encode()
