"""``names.txt.age`` where names are hidden: which file is which, for who has the key."""

import asyncio
import hashlib
from typing import Final
from uuid import uuid4

from ..catalog import store
from ..catalog.copy_results import names_at
from ..clock import now_ms
from ..config import TargetConfig
from ..errors import LocalWriteFailed
from ..targets.base import Target
from ..targets.encrypted import NAMES, SUFFIX
from .base import StageContext

_WRITTEN: Final = "names/"
"""Stored: target id → SHA-256 of the list that lies there."""


async def write_names(context: StageContext, config: TargetConfig, target: Target) -> None:
    """If names are hidden and something changed. Raises what ``Target.deliver`` raises."""
    if config.encryption is None or not config.encryption.hide_names:
        return
    lines = await context.catalog.read(names_at, config.target_id)
    text = "".join(f"{path}\t{plain}\n" for path, plain in lines).encode()
    sha256 = hashlib.sha256(text).hexdigest()
    known = (await context.catalog.read(store.get_values, _WRITTEN)).get(config.target_id)
    if not lines or known == sha256:
        return
    part = context.archive.part_of(f"names-{uuid4().hex[:12]}")
    try:
        await asyncio.to_thread(part.write_bytes, text)
        await target.deliver(
            part,
            NAMES if known is None else NAMES + SUFFIX,
            size=len(text),
            sha256=sha256,
            mtime=now_ms() / 1000,
            replace=known is not None,
        )
    except OSError as err:
        raise LocalWriteFailed(f"{part}: {err}", path=str(part)) from err
    finally:
        await asyncio.to_thread(part.unlink, missing_ok=True)
    await context.catalog.write(store.set_values, _WRITTEN, {config.target_id: sha256})
