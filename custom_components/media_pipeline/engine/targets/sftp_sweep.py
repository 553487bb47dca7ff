"""Removing what was left half done: part files, and folders that many files were unpacked in.

Imports asyncssh: load it off the loop.
"""

import random
import time
from contextlib import suppress
from functools import partial
from typing import Final

from ..errors import FileVanished, TargetReadOnly, TargetUnavailableError
from .paths import PART_MAX_AGE, is_part
from .sftp_session import SftpSession
from .tasks import run_bounded

_SWEEP_SECONDS: Final = 5.0
_PARALLEL: Final = 32


async def sweep(session: SftpSession, now: float | None = None) -> int:
    """Remove old part files for a few seconds at most; returns how many.

    Directories come in random order, so that a big tree is covered over several runs.
    """
    oldest = (time.time() if now is None else now) - PART_MAX_AGE
    until = time.monotonic() + _SWEEP_SECONDS
    waiting = [""]
    removed = 0
    while waiting and time.monotonic() < until:
        folder = waiting.pop(random.randrange(len(waiting)))
        try:
            entries = await session.list_folder(folder)
        except FileVanished, TargetReadOnly:
            continue
        for name, found in entries:
            path = f"{folder}/{name}".lstrip("/")
            if is_part(name):
                if found.mtime < oldest:
                    with suppress(TargetUnavailableError):
                        await remove_part(session, path)
                        removed += 1
            elif found.folder:
                waiting.append(path)
    return removed


async def remove_part(session: SftpSession, path: str) -> None:
    """Remove a part file, or a part folder with the files in it; no error when it is not there."""
    found = await session.look(path)
    if found is None:
        return
    if not found.folder:
        await session.remove(path)
        return
    with suppress(FileVanished):
        entries = await session.list_folder(path)
        work = [partial(session.remove, f"{path}/{name}") for name, _ in entries]
        await run_bounded(work, _PARALLEL)
        async with session.errors(path):
            await session.sftp.rmdir(session.absolute(path))
