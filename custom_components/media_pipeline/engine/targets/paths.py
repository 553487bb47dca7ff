"""Names at a target: which paths are allowed, and how part files and probe files are called."""

from secrets import token_hex
from typing import Final

from ..errors import NameRefused
from ..marker import MARKER_NAME

PART_SUFFIX: Final = ".mp-part"
PROBE_PREFIX: Final = ".mp-probe-"
PART_MAX_AGE: Final = 7 * 86400
"""Seconds after which a part file that nobody finished is swept."""
_MAX_NAME_BYTES: Final = 255


class NameTaken(Exception):
    """The name to publish at exists already."""


def check_path(path: str) -> str:
    """Return ``path`` when it is relative and stays below the root; raises NameRefused.

    Line breaks and backslashes are refused too: hash programs escape them in what they print.
    """
    parts = path.split("/")
    if any(part in {"", ".", ".."} for part in parts) or any(c in path for c in "\0\n\r\\"):
        raise NameRefused(f"not a portable relative path: {path!r}", path=path)
    if any(len(part.encode(errors="surrogateescape")) > _MAX_NAME_BYTES for part in parts):
        raise NameRefused(f"name too long: {path!r}", path=path)
    if path.startswith(MARKER_NAME) or is_part(parts[-1]):
        raise NameRefused(f"a name of our own: {path!r}", path=path)
    return path


def parent_of(path: str) -> str:
    """``2024/05/a.jpg`` → ``2024/05``; empty for a file in the root."""
    return path.rpartition("/")[0]


def part_path(path: str, tag: str | None = None) -> str:
    """A hidden name in the same directory, never longer than a file system takes.

    A fresh one every time, or the same for the same ``tag``.
    """
    parent, slash, name = path.rpartition("/")
    tail = f".{tag or token_hex(6)}{PART_SUFFIX}"
    room = _MAX_NAME_BYTES - 1 - len(tail)
    return f"{parent}{slash}.{name.encode()[:room].decode(errors='ignore')}{tail}"


def plain_part_path(path: str) -> str:
    """Like ``part_path``, without the file's own name: for servers that are choosy about names."""
    parent, slash, _ = path.rpartition("/")
    return f"{parent}{slash}.{token_hex(12)}{PART_SUFFIX}"


def is_part(name: str) -> bool:
    """True for the name (without directory) of a part file, part folder or probe file."""
    return name.startswith(".") and (name.endswith(PART_SUFFIX) or name.startswith(PROBE_PREFIX))


def probe_name() -> str:
    """A fresh hidden name for a probe file."""
    return f"{PROBE_PREFIX}{token_hex(8)}"
