"""What is done when a connection is new: recognise or claim the folder, try it out, sweep it.

Imports asyncssh: load it off the loop.
"""

import asyncio
import hashlib
import os
import random
import time
from contextlib import suppress
from typing import Final

import asyncssh

from ..errors import (
    CopyMismatch,
    FileVanished,
    MarkerForeign,
    MarkerMissing,
    NameRefused,
    PipelineError,
    TargetPathMissing,
    TargetReadOnly,
    TargetUnavailableError,
)
from ..marker import MARKER_NAME, marker_text, new_marker_id, parse_marker
from .paths import PART_MAX_AGE, is_part, part_path, probe_name
from .remote_hash import RemoteShell, find_shell
from .sftp_session import SftpSession
from .sftp_transfer import Budget, read_back

_SWEEP_SECONDS: Final = 5.0


async def check_marker(session: SftpSession, marker_id: str) -> None:
    """Raise MarkerMissing or MarkerForeign unless the folder carries our marker."""
    try:
        text = await session.read_small(MARKER_NAME)
    except TargetReadOnly:
        text = None
    found = parse_marker(text) if text is not None else None
    if found is None:
        raise MarkerMissing(f"no marker in {session.root}", path=session.root)
    if found != marker_id:
        raise MarkerForeign(f"foreign marker in {session.root}", path=session.root)


async def claim(session: SftpSession, budget: Budget) -> tuple[str, RemoteShell | None]:
    """Take a folder into use for the first time: make it, try it out, adopt or write its marker.

    Leaves nothing behind when it fails. Raises TargetPathMissing and a ``TargetUnavailableError``.
    """
    made = await _make_root(session)
    try:
        shell = await try_out(session, budget)
        text = await session.read_small(MARKER_NAME)
        marker_id = parse_marker(text) if text is not None else None
        if marker_id is None:
            marker_id = new_marker_id()
            await _write_marker(session, marker_id, replace=text is not None)
    except BaseException:  # cancelled too: folders made for the test go
        for path in reversed(made):
            with suppress(asyncssh.Error, OSError):
                async with asyncio.timeout(5):
                    await session.sftp.rmdir(path)
        raise
    return marker_id, shell


async def _make_root(session: SftpSession) -> list[str]:
    """Make the target's folder and those above it; returns the made ones, outermost first."""
    made: list[str] = []
    parts = session.root.strip("/").split("/")
    try:
        if await session.look("") is None:
            for count in range(1, len(parts) + 1):
                path = "/" + "/".join(parts[:count])
                with suppress(asyncssh.SFTPFailure, asyncssh.SFTPPermissionDenied):
                    async with asyncio.timeout(60):
                        await session.sftp.mkdir(path)
                    made.append(path)
        async with asyncio.timeout(60):
            if await session.sftp.isdir(session.root):
                return made
    except asyncssh.SFTPError as err:
        raise TargetPathMissing(f"{session.root}: {err}", path=session.root) from err
    except OSError as err:
        raise await session.explain(err, session.root) from err
    raise TargetPathMissing(f"{session.root} can't be made", path=session.root)


async def _write_marker(session: SftpSession, marker_id: str, *, replace: bool) -> None:
    part = part_path(MARKER_NAME)
    try:
        await session.write_small(part, marker_text(marker_id).encode())
        await session.publish(part, MARKER_NAME, replace=replace)
    except BaseException:  # cancelled too: the test file goes
        with suppress(PipelineError):
            await session.remove(part)
        raise


async def try_out(session: SftpSession, budget: Budget) -> RemoteShell | None:
    """Write, publish, read back and remove a small file; tells whether the server can hash it."""
    name, data = probe_name(), os.urandom(64)
    part, sha256 = part_path(name), hashlib.sha256(data).hexdigest()
    try:
        await session.write_small(part, data)
        await session.publish(part, name, replace=False)
        if await read_back(session, name, budget) != (sha256, len(data)):
            raise CopyMismatch("read back other bytes than were written", path=session.root)
        return await find_shell(session.conn, session.root, name, sha256)
    except (NameRefused, FileVanished) as err:
        raise TargetPathMissing(err.detail, path=session.root) from err
    finally:
        for path in (part, name):
            with suppress(PipelineError):
                if session.alive:
                    await session.remove(path)


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
            if found.folder:
                waiting.append(path)
            elif is_part(name) and found.mtime < oldest:
                with suppress(TargetUnavailableError):
                    await session.remove(path)
                    removed += 1
    return removed
