"""What is done when a folder target is opened: recognise or claim it, and try it out. It blocks."""

import errno
import hashlib
import os
from contextlib import suppress
from pathlib import Path
from threading import Event

from ..errors import MarkerMissing, TargetPathMissing, TargetReadOnly
from ..marker import FolderIdentity, check_folder, claim_folder, device_of, read_marker
from .base import TargetIdentity
from .local_files import OpenRoot, write_all
from .paths import part_path, probe_name


def recognise(folder: Path, identity: TargetIdentity) -> FolderIdentity:
    """Check that it is the folder of which an earlier time is remembered, and can be written to.

    Raises MarkerMissing, MarkerForeign, DeviceChanged and TargetReadOnly.
    """
    if not folder.is_dir():
        raise MarkerMissing(f"{folder} is not there", path=str(folder))
    known = FolderIdentity(identity.marker_id or "", identity.device_id or device_of(folder))
    check_folder(folder, known)
    if not os.access(folder, os.W_OK):
        raise TargetReadOnly(f"{folder} can't be written to", path=str(folder))
    return known


def claim(folder: Path, owner: str | None) -> FolderIdentity:
    """Take a folder into use: make it, try it out, adopt or write its marker.

    Raises TargetPathMissing, TargetTaken and OSError.
    """
    made = False
    if not folder.is_dir():
        _make(folder)
        made = True
    try:
        _try_out(folder)
        return claim_folder(folder, owner)
    except OSError:
        if made:
            with suppress(OSError):
                folder.rmdir()
        raise


def _make(folder: Path) -> None:
    # Only the last part: a longer missing path is a mount that is not there.
    try:
        folder.mkdir()
    except OSError as err:
        raise TargetPathMissing(f"{folder}: {err}", path=str(folder)) from err


def _try_out(folder: Path) -> None:
    """Write, publish, read back and remove a small file."""
    known = FolderIdentity(read_marker(folder) or "", device_of(folder))
    name, data = probe_name(), os.urandom(64)
    part = part_path(name)
    with OpenRoot(folder, known) as root:
        try:
            fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=root.fd)
            try:
                write_all(fd, data)
                os.fsync(fd)
            finally:
                os.close(fd)
            root.publish(part, name, replace=False)
            if root.hash_file(name, Event()) != (hashlib.sha256(data).hexdigest(), len(data)):
                raise OSError(errno.EIO, "read back other bytes than were written")
        finally:
            root.remove(part)
            root.remove(name)
