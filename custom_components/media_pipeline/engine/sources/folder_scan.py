"""Find and group the files of a folder tree. Everything here blocks."""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from ..model import AssetRecord, Kind, ResourceRecord, Role
from ..names import split_name
from .exif_date import exif_date
from .formats import RAW_SUFFIXES, kind_of_suffix

_IGNORED_FOLDERS: Final = frozenset(
    {"@eadir", "#recycle", "#snapshot", "$recycle.bin", "lost+found", "system volume information"}
)
_IGNORED_SUFFIXES: Final = frozenset(
    {".part", ".tmp", ".temp", ".partial", ".crdownload", ".download", ".db", ".ini"}
)
_SIDECARS: Final = frozenset({".aae", ".xmp"})
# Photos that phones pair with a film of the same name.
_STILLS: Final = frozenset({".heic", ".heif", ".jpg", ".jpeg"})
_SETTLED_S: Final = 10.0


class Scanner:
    """Assets of one folder tree, in the order of their paths."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._dates: dict[str, tuple[str, int | None]] = {}

    def assets(self) -> Iterator[AssetRecord]:
        """All assets but those with files that may still be growing. Raises OSError."""
        yield from self._folder("")

    def lookup(self, keys: Sequence[str]) -> dict[str, AssetRecord | None]:
        """Fresh assets by key; None for those that are gone. Raises OSError."""
        found: dict[str, AssetRecord | None] = dict.fromkeys(keys)
        for folder in dict.fromkeys(key.rpartition("/")[0] for key in keys):
            try:
                files = self._files(folder)[0]
            except FileNotFoundError, NotADirectoryError:
                continue
            for group in _groups(files):
                key = _join(folder, group[0][1].name)
                if key in found:
                    found[key] = self._asset(folder, group)
        return found

    def _folder(self, folder: str) -> Iterator[AssetRecord]:
        try:
            files, folders = self._files(folder)
        except FileNotFoundError:
            if not folder:
                raise
            return  # removed while we walked
        settled = time.time() - _SETTLED_S
        for group in _groups(files):
            if all(entry.stat(follow_symlinks=False).st_mtime <= settled for _, entry in group):
                asset = self._asset(folder, group)
                if asset is not None:
                    yield asset
        for name in folders:
            yield from self._folder(_join(folder, name))

    def _files(self, folder: str) -> tuple[list[os.DirEntry[str]], list[str]]:
        """Files and folders worth a look; links are not followed."""
        files: list[os.DirEntry[str]] = []
        folders: list[str] = []
        with os.scandir(self._root / folder) as entries:
            for entry in entries:
                name = entry.name.lower()
                if name.startswith((".", "~$")) or not _storable(entry.name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if name not in _IGNORED_FOLDERS:
                        folders.append(entry.name)
                elif entry.is_file(follow_symlinks=False):
                    suffix = split_name(name)[1]
                    kind = kind_of_suffix(suffix)
                    if suffix not in _IGNORED_SUFFIXES and (
                        kind is not Kind.OTHER or suffix in _SIDECARS
                    ):
                        files.append(entry)
        return sorted(files, key=lambda entry: entry.name), sorted(folders)

    def _asset(self, folder: str, group: list[tuple[Role, os.DirEntry[str]]]) -> AssetRecord | None:
        try:
            facts = [
                (role, entry.name, (self._root / folder / entry.name).stat())
                for role, entry in group
            ]
        except FileNotFoundError:
            return None
        _, filename, first = facts[0]
        key = _join(folder, filename)
        tag = ";".join(f"{name}:{stat.st_size}:{stat.st_mtime_ns}" for _, name, stat in facts)
        modified = max(stat.st_mtime_ns for *_, stat in facts) // 1_000_000
        return AssetRecord(
            key=key,
            library="",
            kind=kind_of_suffix(split_name(filename)[1]),
            filename=filename,
            captured=self._captured(key, f"{first.st_size}:{first.st_mtime_ns}")
            or first.st_mtime_ns // 1_000_000,
            added=None,
            modified=modified,
            resources=tuple(
                ResourceRecord(
                    role=role,
                    filename=name,
                    size=stat.st_size,
                    url=str(self._root / folder / name),
                )
                for role, name, stat in facts
            ),
            asset_tag=tag,
            raw={"path": key},
        )

    def _captured(self, key: str, tag: str) -> int | None:
        known = self._dates.get(key)
        if known is None or known[0] != tag:
            known = self._dates[key] = (tag, exif_date(self._root / key))
        return known[1]


def _groups(files: list[os.DirEntry[str]]) -> Iterator[list[tuple[Role, os.DirEntry[str]]]]:
    """Files of one stem → assets, the primary file first."""
    stems: dict[str, list[os.DirEntry[str]]] = {}
    for entry in files:
        stem, suffix = split_name(entry.name)
        if suffix.lower() in _SIDECARS and split_name(stem)[1]:
            # IMG_1.JPG.xmp belongs to IMG_1.JPG
            inner = split_name(stem)
            stem = inner[0] if kind_of_suffix(inner[1]) is not Kind.OTHER else stem
        stems.setdefault(stem.casefold(), []).append(entry)
    for entries in stems.values():
        yield from _grouped(entries)


def _grouped(entries: list[os.DirEntry[str]]) -> Iterator[list[tuple[Role, os.DirEntry[str]]]]:
    def suffix(entry: os.DirEntry[str]) -> str:
        return split_name(entry.name)[1].lower()

    stills = [entry for entry in entries if suffix(entry) in _STILLS]
    raws = [entry for entry in entries if suffix(entry) in RAW_SUFFIXES]
    films = [entry for entry in entries if kind_of_suffix(suffix(entry)) is Kind.VIDEO]
    sidecars = [entry for entry in entries if suffix(entry) in _SIDECARS]
    others = [
        entry
        for entry in entries
        if not any(entry in kinds for kinds in (stills, raws, films, sidecars))
    ]
    groups: list[list[tuple[Role, os.DirEntry[str]]]] = []
    if stills:
        first = [(Role.ORIGINAL, stills[0])]
        if len(raws) == 1:
            first.append((Role.ALTERNATIVE, raws.pop()))
        if len(films) == 1 and suffix(films[0]) in {".mov", ".mp4"}:
            first.append((Role.LIVE_VIDEO, films.pop()))
        groups.append(first)
    groups += [[(Role.ORIGINAL, entry)] for entry in (*stills[1:], *raws, *films, *others)]
    if groups:
        # A second sidecar of one photo would need a second role: it stays where it is.
        groups[0] += [(Role.SIDECAR, entry) for entry in sidecars[:1]]
    yield from groups


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _storable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
