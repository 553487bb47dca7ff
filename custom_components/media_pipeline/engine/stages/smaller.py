"""The archive's side of making a smaller version: room for it, and its place in the end."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..archive import os_error
from ..checksums import hash_file
from ..media.container import check_container
from ..media.jobs import CompressResult
from .base import StageContext
from .places import compressed_place_of


@dataclass(frozen=True, slots=True)
class Published:
    """A smaller version that lies in the archive."""

    path: str
    """Below the archive."""
    sha256: str
    size: int
    container: str


async def make_room(context: StageContext, row: Any, destination: Path) -> None:
    """Check the archive and make the folder of ``destination``. Raises the archive's errors."""

    def work() -> None:
        context.archive.check()
        context.archive.need(row.size)
        destination.parent.mkdir(parents=True, exist_ok=True)

    try:
        await asyncio.to_thread(work)
    except OSError as err:
        raise os_error(err, context.archive.root) from err


async def publish_smaller(context: StageContext, row: Any, result: CompressResult) -> Published:
    """Walk through a kept result and give it its name. Raises BrokenContainer, archive's errors."""
    made = result.path
    assert made is not None  # noqa: S101 - kept results have a path

    def work() -> Published:
        container = check_container(made, result.suffix)
        digest = hash_file(made)
        place = context.archive.publish(
            made, compressed_place_of(row, result.suffix), digest.sha256
        )
        return Published(place, digest.sha256, digest.size, container)

    try:
        return await asyncio.to_thread(work)
    except OSError as err:
        raise os_error(err, context.archive.root) from err
