"""Whether a folder can hold photos: tried out at once, while the person who chose it is there."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final
from uuid import uuid4

from .engine.marker import FolderIdentity, claim_folder, device_of, read_marker

MIN_FREE: Final = 1 << 30
"""Bytes that must be free; the engine keeps the same reserve."""

_TEST_BYTES: Final = 1 << 16


class FolderRefused(Exception):
    """A folder that can't be used; ``key`` is the flow's error."""

    def __init__(self, key: str) -> None:
        """Keep the translation key."""
        super().__init__(key)
        self.key = key


def check_source(path: str) -> Path:
    """A folder to read from. Blocking; raises FolderRefused."""
    folder = _absolute(path)
    if not folder.is_dir():
        raise FolderRefused("folder_missing")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise FolderRefused("folder_not_readable")
    return folder


def check_destination(
    path: str, *, config_dir: str, apart_from: Iterable[Path] = (), make: bool = True
) -> Path:
    """A folder to write to: made when only it is missing, then tried. Blocking.

    It may not lie in Home Assistant's configuration (backups would swallow the photos), nor in or
    around any of ``apart_from``. Raises FolderRefused.
    """
    folder = _absolute(path)
    resolved = folder.resolve()
    if resolved.is_relative_to(Path(config_dir).resolve()):
        raise FolderRefused("in_config")
    for other in apart_from:
        taken = other.resolve()
        if resolved.is_relative_to(taken) or taken.is_relative_to(resolved):
            raise FolderRefused("overlaps")
    made = False
    try:
        if folder.exists() and not folder.is_dir():
            raise FolderRefused("not_a_folder")
        if not folder.is_dir():
            if not make:
                raise FolderRefused("folder_missing")
            if not folder.parent.is_dir():
                raise FolderRefused("parent_missing")
            folder.mkdir()
            made = True
        if shutil.disk_usage(folder).free < MIN_FREE:
            raise FolderRefused("no_space")
        _write_rename_hash(folder)
    except OSError as err:
        if made:
            folder.rmdir()
        raise FolderRefused("not_writable") from err
    except FolderRefused:
        if made:
            folder.rmdir()
        raise
    return folder


def claim_archive(folder: Path) -> FolderIdentity:
    """Take a new archive into use. Blocking; raises FolderRefused."""
    try:
        return claim_folder(folder)
    except OSError as err:
        raise FolderRefused("not_writable") from err


def find_archive(folder: Path, marker_id: str | None) -> FolderIdentity:
    """Recognise an archive at its new place. Blocking; raises FolderRefused."""
    if marker_id is None:
        return claim_archive(folder)
    found = read_marker(folder)
    if found is None:
        raise FolderRefused("archive_not_there")
    if found != marker_id:
        raise FolderRefused("archive_foreign")
    return FolderIdentity(found, device_of(folder))


def _absolute(path: str) -> Path:
    folder = Path(path.strip())
    if not folder.is_absolute():
        raise FolderRefused("not_absolute")
    if folder == Path(folder.anchor):
        raise FolderRefused("is_root")
    return folder


def _write_rename_hash(folder: Path) -> None:
    """Do once what every photo will need: write, flush, rename, read back the same bytes."""
    content = secrets.token_bytes(_TEST_BYTES)
    first = folder / f".media_pipeline_test_{uuid4().hex}"
    second = first.with_suffix(".renamed")
    try:
        with first.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        first.rename(second)
        if hashlib.sha256(second.read_bytes()).digest() != hashlib.sha256(content).digest():
            raise FolderRefused("read_back_differs")
    finally:
        first.unlink(missing_ok=True)
        second.unlink(missing_ok=True)
