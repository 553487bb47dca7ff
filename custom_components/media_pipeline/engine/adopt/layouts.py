"""How other tools lay out and name their files. A guess for the report; the bytes decide."""

import re
from typing import Final

from ..names import collision_key, split_name

ICLOUDPD: Final = "icloudpd"
ICLOUD_DOCKER: Final = "icloud_docker"
ICLOUD_PHOTOS_SYNC: Final = "icloud_photos_sync"
KEI: Final = "kei"
OTHER: Final = "other"

_DATED = re.compile(r"(^|/)(19|20)\d\d/(0?[1-9]|1[0-2])/(0?[1-9]|[12]\d|3[01])/[^/]+$")
_DOCKER = re.compile(r"^(?P<stem>.+?)__[a-z_]+__[A-Za-z0-9_=-]+$")
_LIVE = re.compile(r"^(?P<stem>.+)_HEVC$", re.IGNORECASE)
_ADDITION = re.compile(
    r"^(?P<stem>.+?)(-\d{3,}|-(adjusted|edited|alternative|original|medium|thumb|live)"
    r"|~[0-9a-f]{8,}|_edited| \(\d+\))$",
    re.IGNORECASE,
)


def tool_of(path: str) -> str:
    """Which tool writes files with such a relative path."""
    first, _, _ = path.partition("/")
    if first in {"_All-Photos", "_Shared-Photos"} or "/_All-Photos/" in path:
        return ICLOUD_PHOTOS_SYNC
    stem, _ = split_name(path.rpartition("/")[2])
    if _DOCKER.match(stem):
        return ICLOUD_DOCKER
    if _DATED.search(path) or _LIVE.match(stem):
        return ICLOUDPD
    return OTHER


def plain_names(filename: str) -> set[str]:
    """What a file may have been called in iCloud, in a form that can be compared."""
    stem, suffix = split_name(filename)
    stems = {stem}
    for pattern in (_DOCKER, _LIVE, _ADDITION):
        for known in tuple(stems):
            if match := pattern.match(known):
                stems.add(match["stem"])
    return {collision_key(name + suffix) for name in stems}
