"""Portable file names: what every file system and every SFTP server takes."""

import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Final

_FORBIDDEN: Final = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\u2028\u2029]')
_RESERVED: Final = frozenset(
    {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(10)), *(f"lpt{n}" for n in range(10))}
)
# 255 bytes is the common limit; room is kept for "~abcdef12", "_edited" and the part-file dress.
_MAX_STEM_BYTES: Final = 180
_MAX_SUFFIX_BYTES: Final = 16
_TAG_LENGTHS: Final = (8, 16, 24, 32)


def portable_name(name: str, fallback: str = "unnamed") -> str:
    """One path part out of any text: NFC, no separators, control characters or reserved names."""
    text = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", name)).strip(" .")
    text = "".join(c for c in text if unicodedata.category(c) not in {"Cc", "Cs", "Cf"})
    if not text:
        text = fallback
    stem, suffix = split_name(text)
    stem = _cut(stem.strip(" ."), _MAX_STEM_BYTES) or fallback
    suffix = _cut(suffix, _MAX_SUFFIX_BYTES)
    if stem.lower() in _RESERVED:
        stem = f"_{stem}"
    return stem + suffix


def split_name(name: str) -> tuple[str, str]:
    """``IMG_1.HEIC`` → (``IMG_1``, ``.HEIC``); a leading dot is no suffix."""
    path = PurePosixPath(name)
    return (path.stem, path.suffix) if path.name else (name, "")


def collision_key(name: str) -> str:
    """What names share that a case-insensitive or normalising file system can't tell apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def one_form(path: str) -> str:
    """A path as we write it, whatever form of its letters a file system lists (NFD on a Mac)."""
    return path if path.isascii() else unicodedata.normalize("NFC", path)


def with_tag(path: str, tag: str) -> str:
    """``2024/05/IMG.JPG`` + ``ab12`` → ``2024/05/IMG~ab12.JPG``."""
    parent, _, name = path.rpartition("/")
    stem, suffix = split_name(name)
    tagged = f"{stem}~{tag}{suffix}"
    return f"{parent}/{tagged}" if parent else tagged


def names_for(path: str, sha256: str) -> Iterator[str]:
    """The names to try in turn when others hold foreign bytes; the same ones every time."""
    yield path
    for length in _TAG_LENGTHS:
        yield with_tag(path, sha256[:length])


def dated_folder(captured: int | None) -> str:
    """``YYYY/MM`` (UTC) of a time in milliseconds; ``undated`` when it is unknown or absurd."""
    if captured is None:
        return "undated"
    try:
        when = datetime.fromtimestamp(captured / 1000, UTC)
    except OverflowError, OSError, ValueError:
        return "undated"
    if not 1800 <= when.year <= 2200:
        return "undated"
    return f"{when.year:04d}/{when.month:02d}"


def _cut(text: str, limit: int) -> str:
    encoded = text.encode()
    return text if len(encoded) <= limit else encoded[:limit].decode(errors="ignore")
