"""``SHA256SUMS`` beside the files: what ``sha256sum -c`` needs to prove them without us.

One list for each folder, written anew when something proven appeared in that folder, left it or
changed. A file of that name that is not ours is never written over: ours then gets another name.
"""

import asyncio
import contextlib
import hashlib
import logging
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from ..archive import os_error
from ..catalog import manifests
from ..catalog.manifests import ARCHIVE
from ..clock import now_ms
from ..errors import LocalWriteFailed, PermanentError, PipelineError, TransientError
from ..targets.base import ProofRequest, Target
from ..targets.tasks import run_bounded
from .base import StageContext

_LOGGER = logging.getLogger(__name__)
NAME: Final = "SHA256SUMS"
_PARALLEL: Final = 4
_MAX_BYTES: Final = 16 << 20
"""A file of our name that is bigger is not ours."""


async def write_at_target(context: StageContext, target_id: str, target: Target) -> None:
    """Write the lists of the folders that changed. Raises TargetUnavailableError kinds."""
    if context.prove_all:
        await context.catalog.write(manifests.write_all_again, target_id)
    rows = await context.catalog.read(manifests.changed_folders, target_id)
    await run_bounded([partial(_at_target, context, target, row) for row in rows], _PARALLEL)


async def _at_target(context: StageContext, target: Target, row: Any) -> None:
    await context.control.checkpoint()
    lines = await context.catalog.read(manifests.lines, row.place, row.folder)
    text = render(lines)
    sha256 = hashlib.sha256(text).hexdigest()
    path = row.path or place_in(row.folder)
    part = context.archive.part_of(f"manifest-{uuid4().hex[:12]}")
    try:
        ours = await _is_ours(target, row, path, lines, part)
        if not lines:
            if ours and row.path:
                await target.delete(row.path)
            await context.catalog.write(manifests.manifest_written, row, None, None)
            return
        await asyncio.to_thread(_write, part, text)
        delivery = await target.deliver(
            part,
            path if ours else place_in(row.folder),
            size=len(text),
            sha256=sha256,
            mtime=now_ms() / 1000,
            replace=ours,
        )
    except PermanentError as err:  # a place that takes no such file
        _LOGGER.info("no list of checksums at a target: %s (%s)", err.key, err.detail)
        await context.catalog.write(manifests.manifest_written, row, row.path, row.sha256)
        return
    except TransientError as err:  # the next run tries again
        _LOGGER.info("no list of checksums this time: %s (%s)", err.key, err.detail)
        return
    finally:
        await asyncio.to_thread(part.unlink, missing_ok=True)
    await context.catalog.write(manifests.manifest_written, row, delivery.path, sha256)


async def _is_ours(
    target: Target, row: Any, path: str, lines: dict[str, str], scratch: Path
) -> bool:
    """Whether what lies at ``path`` may be written over: our last list, or one that says less."""
    (there,) = await target.prove([ProofRequest(path, 0)])
    if there.size is None:
        return False
    if there.sha256 is not None and there.sha256 == row.sha256:
        return True
    if there.size > _MAX_BYTES:
        return False
    with contextlib.suppress(TransientError):
        await target.fetch(path, scratch)
        known = await asyncio.to_thread(scratch.read_bytes)
        await asyncio.to_thread(scratch.unlink)
        return says_nothing_else(known, lines)
    return False


async def write_in_archive(context: StageContext) -> None:
    """Like ``write_at_target``. Raises TargetUnavailableError kinds."""
    if context.prove_all:
        await context.catalog.write(manifests.write_all_again, ARCHIVE)
    for row in await context.catalog.read(manifests.changed_folders, ARCHIVE):
        await context.control.checkpoint()
        lines = await context.catalog.read(manifests.lines, ARCHIVE, row.folder)
        try:
            path = await asyncio.to_thread(_in_archive, context, row, lines)
        except PipelineError as err:
            if isinstance(err, PermanentError | TransientError):
                _LOGGER.info("no list of checksums: %s (%s)", err.key, err.detail)
                continue
            raise
        sha256 = hashlib.sha256(render(lines)).hexdigest() if path else None
        await context.catalog.write(manifests.manifest_written, row, path, sha256)


def _in_archive(context: StageContext, row: Any, lines: dict[str, str]) -> str | None:
    archive = context.archive
    path = row.path or place_in(row.folder)
    if lines:
        return archive.write_manifest(
            path, render(lines), row.sha256, lambda data: says_nothing_else(data, lines)
        )
    if row.path is not None:
        archive.check()
        file = archive.path_of(row.path)
        try:
            if file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == row.sha256:
                file.unlink()
        except OSError as err:
            raise os_error(err, archive.root) from err
    return None


def place_in(folder: str) -> str:
    """Where a folder's list belongs."""
    return f"{folder}/{NAME}".lstrip("/")


def render(lines: dict[str, str]) -> bytes:
    """File name → SHA-256 in the format of ``sha256sum``: hash, two spaces, name."""
    return "".join(f"{sha256}  {name}\n" for name, sha256 in lines.items()).encode()


def says_nothing_else(text: bytes, lines: dict[str, str]) -> bool:
    """Whether a list says only what ``lines`` say too; then it is an older one of ours."""
    try:
        said = text.decode().splitlines()
    except UnicodeDecodeError:
        return False
    known = {f"{sha256}  {name}" for name, sha256 in lines.items()}
    return all(line in known for line in said)


def _write(part: Path, text: bytes) -> None:
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(text)
    except OSError as err:
        raise LocalWriteFailed(str(err), path=str(part)) from err
