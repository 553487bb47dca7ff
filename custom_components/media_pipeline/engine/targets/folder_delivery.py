"""Delivering to a folder: a part file is written and given a free name. All of it blocks."""

import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Final

from ..errors import NameRefused, TargetFull, TargetUnreachable
from ..names import names_for
from .base import Delivery
from .local_files import OpenRoot, Stopped
from .paths import part_path

_PUBLISH_TRIES: Final = 4


@dataclass(frozen=True, slots=True)
class Sending:
    """A file that is to be delivered."""

    source: Path
    size: int
    sha256: str
    mtime: float
    replace: bool
    reserve_bytes: int
    """Free space that is never used up."""
    stop: Event
    """Set when nobody wants it any more."""
    report: Callable[[int], None]
    """Gets the count of each piece, and waits as long as the limit wants."""


def send(root: OpenRoot, path: str, sending: Sending) -> Delivery:
    """Write a part file below the root and publish it; see ``Target.deliver``. Raises OSError."""
    final, ours = _choose(root, path, sending)
    if ours:
        return Delivery(final, sending.size, already_there=True)
    if root.free_bytes() < sending.size + sending.reserve_bytes:
        raise TargetFull(f"no room for {sending.size} bytes", path=str(root.folder))
    root.make_parents(final)
    part = part_path(final)
    try:
        root.write_part(
            sending.source,
            part,
            size=sending.size,
            sha256=sending.sha256,
            mtime=sending.mtime,
            stop=sending.stop,
            report=sending.report,
        )
        for _ in range(_PUBLISH_TRIES):
            root.check()
            if sending.stop.is_set():
                raise Stopped
            with suppress(FileExistsError):
                root.publish(part, final, replace=sending.replace and final == path)
                return Delivery(final, sending.size)
            final, ours = _choose(root, path, sending)
            if ours:
                return Delivery(final, sending.size, already_there=True)
        raise TargetUnreachable(f"somebody else keeps writing {path}", path=path)
    finally:
        with suppress(OSError):
            root.remove(part)


def _choose(root: OpenRoot, path: str, sending: Sending) -> tuple[str, bool]:
    """The name to use, and whether our bytes are there already."""
    for name in names_for(path, sending.sha256):
        found = root.look(name)
        if found is None:
            return name, False
        if stat.S_ISREG(found.st_mode):
            same_size = found.st_size == sending.size
            if same_size and root.hash_file(name, sending.stop) == (
                sending.sha256,
                sending.size,
            ):
                return name, True
            if sending.replace and name == path:
                return name, False
    raise NameRefused(f"all names for {path} are taken", path=path)
