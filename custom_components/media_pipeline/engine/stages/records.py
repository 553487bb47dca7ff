"""The record file: what the source knew of an asset, as JSON beside its files."""

import json
from typing import Any

import aiofiles
import aiofiles.os

from ..archive import os_error
from ..catalog import results, work
from ..catalog.plans import originals_of
from ..checksums import Digest
from .base import StageContext
from .places import record_place_of

_BATCH = 50
_FORMAT = 1


async def save_records(context: StageContext) -> None:
    """Write the record files of all assets whose originals are archived. TargetUnavailableError."""
    while rows := await context.catalog.read(work.records_to_save, _BATCH):
        for row in rows:
            await context.control.checkpoint()
            await _save(context, row)


async def _save(context: StageContext, asset: Any) -> None:
    originals = await context.catalog.read(originals_of, asset.id)
    data = _record_bytes(asset, originals)
    digest = Digest(apple=False)
    digest.update(data)
    place = record_place_of(asset)
    path = context.archive.path_of(place)
    temp = path.with_name(f".{path.name}.mp-part")
    try:
        # the one file of ours that changes: an older version of it may be replaced
        async with aiofiles.open(temp, "wb") as file:
            await file.write(data)
            await file.flush()
        await aiofiles.os.replace(temp, path)
    except OSError as err:
        raise os_error(err, context.archive.root) from err
    await context.catalog.write(
        results.record_saved,
        asset.id,
        asset.raw,
        path=place,
        sha256=digest.sha256,
        size=len(data),
    )


def _record_bytes(asset: Any, originals: Any) -> bytes:
    return (
        json.dumps(
            {
                "format": _FORMAT,
                "key": asset.key,
                "library": asset.library,
                "filename": asset.filename,
                "files": [
                    {
                        "role": row.role,
                        "path": row.path,
                        "size": row.size,
                        "sha256": row.sha256,
                        "source_checksum": row.checksum,
                    }
                    for row in originals
                ],
                "source": json.loads(asset.raw),
            },
            indent=1,
            sort_keys=True,
            ensure_ascii=False,
        )
        + "\n"
    ).encode()
