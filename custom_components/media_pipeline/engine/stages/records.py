"""The record file: what the source knew of an asset, as JSON beside its files."""

import asyncio
import hashlib
import json
from typing import Any

from ..catalog import results, work
from ..catalog.plans import originals_of
from .base import StageContext
from .places import record_place_of

_BATCH = 50
_FORMAT = 1


async def save_records(context: StageContext) -> None:
    """Write the record files of all assets whose originals are archived. TargetUnavailableError."""
    after = 0  # one that changes meanwhile behind this is left to the next run
    while rows := await context.catalog.read(work.records_to_save, _BATCH, after):
        for row in rows:
            await context.control.checkpoint()
            await _save(context, row)
        after = rows[-1].id


async def _save(context: StageContext, asset: Any) -> None:
    originals = await context.catalog.read(originals_of, asset.id)
    data = _record_bytes(asset, originals)
    # the one file of ours that changes: an older version of it may be replaced
    place = await asyncio.to_thread(
        context.archive.write_record, record_place_of(asset), data, asset.key
    )
    await context.catalog.write(
        results.record_saved,
        asset.id,
        asset.raw,
        path=place,
        sha256=hashlib.sha256(data).hexdigest(),
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
