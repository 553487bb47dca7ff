"""What is really there: every file is read and hashed here, and the stand-in is asked.

Nothing of the engine is used, so that a mistake in it can't confirm itself.
"""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.icloud_server.body import SALT

_PIECE: Final = 1 << 20
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Found:
    """A file on a disk."""

    size: int
    sha256: str
    apple: str
    """Apple's checksum of the same bytes."""


def walk(folder: Path) -> dict[str, Found]:
    """Every file below, by relative path; without hidden ones (markers, unfinished parts)."""
    return {
        path.relative_to(folder).as_posix(): _hash(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not _hidden(path.relative_to(folder))
    }


def take_lists(folder: Path, files: dict[str, Found]) -> dict[str, str]:
    """Take the lists of checksums out of ``files``; what they say: path → SHA-256.

    Read as ``sha256sum -c`` reads them: two columns, paths relative to the list's own folder.
    """
    listed: dict[str, str] = {}
    for path in [path for path in files if Path(path).name == "SHA256SUMS"]:
        del files[path]
        for line in (folder / path).read_text().splitlines():
            sha256, _, name = line.partition("  ")
            listed[(Path(path).parent / name).as_posix()] = sha256
    return listed


def leftovers(folder: Path) -> list[str]:
    """Hidden files besides the marker: what was begun and not finished."""
    return [
        str(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and _hidden(relative := path.relative_to(folder))
        and str(relative) != ".media_pipeline.json"
    ]


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _hash(path: Path) -> Found:
    size, sha256 = 0, hashlib.sha256()
    apple = hashlib.sha1(SALT, usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            size += len(piece)
            sha256.update(piece)
            apple.update(piece)
    return Found(size, sha256.hexdigest(), base64.b64encode(b"\x01" + apple.digest()).decode())


@dataclass(frozen=True, slots=True)
class Asset:
    """One asset as the stand-in has it."""

    name: str
    checksums: frozenset[str]
    size: int
    files: int
    captured: int
    youngest: int
    kept: bool
    """A favourite, or hidden: the safety rules keep it."""
    trashed: bool

    @classmethod
    def of(cls, data: dict[str, Any]) -> Asset:
        """From the stand-in's answer."""
        roles = data["roles"].values()
        return cls(
            name=data["recordName"],
            checksums=frozenset(role["checksum"] for role in roles),
            size=sum(role["size"] for role in roles),
            files=len(roles),
            captured=data["asset_date"],
            youngest=max(data["asset_date"], data["added_date"]),
            kept=data["favorite"] or data["hidden"],
            trashed=data["deleted"],
        )


def may_be_freed(
    assets: Iterable[Asset], *, now_ms: int, min_age_days: int, limit: int
) -> list[Asset]:
    """What the safety rules allow to free, worked out from the library alone; oldest first."""
    latest = now_ms - min_age_days * _DAY_MS
    allowed = [asset for asset in assets if not asset.kept and asset.youngest <= latest]
    return sorted(allowed, key=lambda asset: asset.captured)[:limit]


class Holdings:
    """Which independent places hold which bytes."""

    def __init__(self) -> None:
        """No places yet."""
        self._domains: dict[str, set[str]] = {}

    def add(self, domain: str, files: dict[str, Found]) -> None:
        """These files lie there; places with the same name would be lost together."""
        held = self._domains.setdefault(domain, set())
        held.update(found.apple for found in files.values())

    def holding(self, asset: Asset) -> int:
        """In how many independent places every file of the asset lies."""
        return sum(asset.checksums <= held for held in self._domains.values())
