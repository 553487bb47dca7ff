"""What is done when a connection is new: recognise or claim the folder, try it out.

Imports asyncssh: load it off the loop.
"""

import asyncio
import hashlib
import os
from contextlib import suppress

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
)
from ..marker import MARKER_NAME, marker_for_claim, parse_marker
from .budget import Budget
from .paths import part_path, probe_name
from .remote_hash import RemoteShell, find_shell
from .sftp_session import SftpSession
from .sftp_transfer import read_back


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


async def claim(
    session: SftpSession, budget: Budget, owner: str | None
) -> tuple[str, RemoteShell | None]:
    """Take a folder into use for the first time: make it, try it out, adopt or write its marker.

    Leaves nothing behind when it fails. Raises TargetPathMissing and TargetUnavailableError kinds.
    """
    made = await _make_root(session)
    try:
        shell = await try_out(session, budget)
        text = await session.read_small(MARKER_NAME)
        marker_id, new = marker_for_claim(text, owner)
        if new is not None:
            await _write_marker(session, new, replace=text is not None)
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


async def _write_marker(session: SftpSession, text: str, *, replace: bool) -> None:
    part = part_path(MARKER_NAME)
    try:
        await session.write_small(part, text.encode())
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
