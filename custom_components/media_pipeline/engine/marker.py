"""The marker file: proof that a folder is our archive or target, not an empty mount point."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

from .errors import DeviceChanged, MarkerForeign, MarkerMissing, TargetTaken

MARKER_NAME: Final = ".media_pipeline.json"
_FORMAT: Final = 1
_MOUNTS: Final = Path("/proc/self/mountinfo")


@dataclass(frozen=True, slots=True)
class FolderIdentity:
    """What is remembered about a folder."""

    marker_id: str
    device_id: str


def new_marker_id() -> str:
    """A fresh id for a folder that never carried a marker."""
    return uuid4().hex


def marker_text(marker_id: str, owner: str | None = None) -> str:
    """What is written into a marker file. ``owner`` tells whose target it is: an archive's id."""
    return (
        json.dumps(
            {
                "format": _FORMAT,
                "id": marker_id,
                **({"owner": owner} if owner else {}),
                "about": "Media Pipeline keeps photos here and writes only while this file exists.",
            },
            indent=1,
        )
        + "\n"
    )


def parse_marker(text: str | bytes) -> str | None:
    """The id in a marker file's text, or None when it is not one of ours."""
    return _field(text, "id")


def _field(text: str | bytes, name: str) -> str | None:
    try:
        data = json.loads(text)
    except ValueError:
        return None
    value = data.get(name) if isinstance(data, dict) else None
    return value if isinstance(value, str) and value else None


def marker_for_claim(text: str | bytes | None, owner: str | None) -> tuple[str, str | None]:
    """For a target taken into use: its id, and what to write as its marker (None: leave it).

    ``text`` is the marker found there. Raises TargetTaken when it names another owner: two that
    keep copies in one place would take each other's files for damaged or foreign ones.
    """
    marker_id = parse_marker(text) if text is not None else None
    if text is None or marker_id is None:
        marker_id = new_marker_id()
        return marker_id, marker_text(marker_id, owner)
    before = _field(text, "owner")
    if owner is None or before == owner:
        return marker_id, None
    if before is not None:
        raise TargetTaken("the marker names another owner")
    return marker_id, marker_text(marker_id, owner)


def device_of(folder: Path) -> str:
    """The file system a folder lies on, as text. Blocking.

    The file system's own id survives a reboot (ext4 and btrfs derive it from a UUID, SMB from the
    volume); a network mount without one is named by its type and source. The device number, which
    may change at every boot, serves only where there is neither.
    """
    fsid = os.statvfs(folder).f_fsid
    if fsid:
        return f"fsid:{fsid:x}"
    device = folder.stat().st_dev
    if os.major(device) == 0 and (source := _mount_source(device)) is not None:
        return f"mount:{source}"
    return f"dev:{device:x}"


def _mount_source(device: int) -> str | None:
    """``nfs4:nas:/photos`` for a mounted device number, from the kernel's list of mounts."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = _MOUNTS.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) > 2 and len(kind) > 1 and fields[2] == wanted:
            return f"{kind[0]}:{kind[1]}"
    return None


def read_marker(folder: Path) -> str | None:
    """The id in a folder's marker, None without a readable marker. Blocking."""
    try:
        return parse_marker((folder / MARKER_NAME).read_bytes())
    except FileNotFoundError, NotADirectoryError:
        return None


def _write_marker(folder: Path, text: str) -> None:
    temp = folder / f"{MARKER_NAME}.new"
    with temp.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temp.replace(folder / MARKER_NAME)


def write_marker(folder: Path, marker_id: str) -> None:
    """Mark a folder that takes the place of a lost one. Blocking; raises OSError."""
    _write_marker(folder, marker_text(marker_id))


def claim_folder(folder: Path, owner: str | None = None) -> FolderIdentity:
    """Take a folder into use: adopt its marker or write the first one, atomically. Blocking.

    ``owner`` is for targets; see ``marker_for_claim``. Raises TargetTaken and OSError.
    """
    try:
        before: bytes | None = (folder / MARKER_NAME).read_bytes()
    except FileNotFoundError, NotADirectoryError:
        before = None
    marker_id, text = marker_for_claim(before, owner)
    if text is not None:
        _write_marker(folder, text)
    return FolderIdentity(marker_id, device_of(folder))


class Watch:
    """Checks one folder again and again: what was seen before costs one look at its marker.

    Any thread may use it.
    """

    def __init__(self, folder: Path, known: FolderIdentity) -> None:
        """Nothing was seen yet."""
        self._folder, self._known = folder, known
        self._marker = folder / MARKER_NAME
        self._seen: tuple[int, ...] | None = None

    def check(self) -> None:
        """See ``check_folder``. Blocking."""
        try:
            now = _look_of(self._marker.stat())
        except FileNotFoundError, NotADirectoryError:
            now = None
        if now is not None and now == self._seen:
            return  # the very file that was read before, on the same device
        self._seen = None
        check_folder(self._folder, self._known)
        self._seen = now


def _look_of(stat: os.stat_result) -> tuple[int, ...]:
    return (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


def check_folder(folder: Path, known: FolderIdentity) -> None:
    """Refuse a folder that is not the one remembered. Blocking.

    Raises MarkerMissing, MarkerForeign or DeviceChanged.
    """
    marker_id = read_marker(folder)
    if marker_id is None:
        raise MarkerMissing(f"no marker in {folder}", path=str(folder))
    if marker_id != known.marker_id:
        raise MarkerForeign(f"foreign marker in {folder}", path=str(folder))
    if device_of(folder) != known.device_id:
        raise DeviceChanged(f"{folder} lies on another device", path=str(folder))
