"""A file brought back from a target: believed only after length, hash and container say so."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..archive import Archive, os_error
from ..checksums import hash_file
from ..errors import CopyMismatch, PipelineError
from ..media.container import check_container
from ..model import WRITTEN_ROLES
from ..names import split_name
from ..targets.base import Target


async def bring(
    target: Target,
    copy: Any,
    into: Path,
    filename: str,
    on_bytes: Callable[[int], None] | None = None,
) -> None:
    """Fetch a copy (a row with ``path``, ``wanted_sha256`` and ``role``) to the file ``into``.

    ``into`` is there only when all is well. Raises FileVanished, CorruptError kinds,
    LocalWriteFailed and TargetUnavailableError kinds.
    """
    await asyncio.to_thread(into.unlink, missing_ok=True)
    await target.fetch(copy.path, into, on_bytes=on_bytes)

    def check() -> None:
        try:
            if hash_file(into).sha256 != copy.wanted_sha256:
                raise CopyMismatch("a copy brought back has other bytes than were sent")
            if copy.role not in WRITTEN_ROLES:
                check_container(into, split_name(filename)[1])
        except BaseException:  # whatever is wrong with it, nobody may take it for a good file
            into.unlink(missing_ok=True)
            raise

    await asyncio.to_thread(check)


class ArchiveTrouble(Exception):
    """The archive, not the target, is in the way."""

    def __init__(self, cause: PipelineError) -> None:
        """``cause`` is what the archive said."""
        super().__init__(cause.key)
        self.cause = cause


async def make_room(archive: Archive, size: int) -> None:
    """See that so many bytes may land in the archive's part area. Raises ArchiveTrouble."""

    def look() -> None:
        try:
            archive.check()
            archive.need(size)
            archive.part_of("").mkdir(parents=True, exist_ok=True)
        except OSError as err:
            raise ArchiveTrouble(os_error(err, archive.root)) from err
        except PipelineError as err:
            raise ArchiveTrouble(err) from err

    await asyncio.to_thread(look)
