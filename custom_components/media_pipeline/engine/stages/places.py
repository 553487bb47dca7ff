"""Where files lie: ``YYYY/MM/<stem><suffix>``, derivatives in trees of their own beside."""

from typing import Any, Final

from ..archive import COMPRESSED, MOTION, SHARE
from ..model import Role
from ..names import portable_name, split_name

_ADDITION: Final = {Role.EDITED: "_edited", Role.EDITED_VIDEO: "_edited"}
RECORD_SUFFIX: Final = ".json"


def place_of(row: Any) -> str:
    """Relative path for a resource (a row of the queue: role, filename, folder, stem)."""
    suffix = _suffix_of(row)
    return f"{row.folder}/{row.stem}{_ADDITION.get(Role(row.role), '')}{suffix}"


def compressed_place_of(row: Any, suffix: str) -> str:
    """Relative path for the smaller version of a resource."""
    original = _suffix_of(row)
    # a RAW+JPEG pair must not end in one name
    extra = original.replace(".", "_") if row.role == Role.ALTERNATIVE else ""
    addition = _ADDITION.get(Role(row.role), "")
    return f"{COMPRESSED}/{row.folder}/{row.stem}{addition}{extra}{suffix}"


def derived_place_of(row: Any, role: Role, suffix: str) -> str:
    """Relative path for a motion photo or share copy of an asset.

    Phones know motion photos also by the ending ``MP`` of their names.
    """
    if role == Role.MOTION_PHOTO:
        return f"{MOTION}/{row.folder}/{row.stem}.MP{suffix}"
    return f"{SHARE}/{row.folder}/{row.stem}{suffix}"


def record_place_of(asset: Any) -> str:
    """Relative path for an asset's record file (a row of assets)."""
    return f"{asset.folder}/{asset.stem}{RECORD_SUFFIX}"


def _suffix_of(row: Any) -> str:
    """The suffix as every file system takes it: a source may call a file anything."""
    return split_name(portable_name(row.filename))[1]
