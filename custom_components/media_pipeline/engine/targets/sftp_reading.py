"""Bringing files back over SFTP, and listing what lies there.

Imports asyncssh: load it off the loop.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from ..errors import FileVanished
from ..marker import MARKER_NAME
from .base import ListedFile
from .budget import Budget
from .landing import Landing
from .paths import is_part
from .sftp_session import SftpSession
from .sftp_transfer import read_pieces


async def copy_out(
    session: SftpSession,
    path: str,
    into: Path,
    budget: Budget,
    on_bytes: Callable[[int], None] | None,
) -> None:
    """Copy a file to the new local file ``into``; see ``Target.fetch``."""
    found = await session.look(path)
    if found is None or not found.regular:
        raise FileVanished(f"{path} is not there", path=path)
    landing = await asyncio.to_thread(Landing(into).__enter__)
    try:
        async for piece in read_pieces(session, path, budget):
            await asyncio.to_thread(landing.write, piece)
            if on_bytes is not None:
                on_bytes(len(piece))
    except BaseException as err:  # cancelled too: no half file may stay
        await asyncio.to_thread(landing.__exit__, type(err), err, None)
        raise
    await asyncio.to_thread(landing.__exit__, None, None, None)


async def list_files(session: SftpSession, folder: str) -> AsyncIterator[ListedFile]:
    """Every file below ``folder``; see ``Target.listing``."""
    waiting = [folder]
    while waiting:
        inside = waiting.pop()
        try:
            entries = await session.list_folder(inside)
        except FileVanished:
            continue  # somebody removed it meanwhile
        for name, found in entries:
            path = f"{inside}/{name}".lstrip("/")
            if is_part(name):
                continue
            if found.folder:
                waiting.append(path)
            elif found.regular and name != MARKER_NAME:
                yield ListedFile(path, found.size)
