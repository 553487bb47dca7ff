"""Which file of the tree serves which file of the source. Decided by size and Apple's checksum."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..catalog.found import Found, Wanted
from ..names import collision_key
from .layouts import plain_names
from .tree import TreeFile

type Bytes = tuple[int, str]
"""Length and Apple's checksum."""


class Wishes:
    """What the archive lacks, by size, by bytes and by name."""

    def __init__(self, wanted: Iterable[Wanted]) -> None:
        """Those whose checksum can't be recomputed are kept apart: nothing proves them."""
        self.by_bytes: dict[Bytes, list[Wanted]] = defaultdict(list)
        self.unproven: list[Wanted] = []
        self._names: set[str] = set()
        for item in wanted:
            self._names.add(collision_key(item.filename))
            if item.checksum is None:
                self.unproven.append(item)
            else:
                self.by_bytes[item.size, item.checksum].append(item)
        self.sizes = frozenset(size for size, _ in self.by_bytes)
        self.unproven_sizes = frozenset(item.size for item in self.unproven)

    def knows_name(self, filename: str) -> bool:
        """Whether a wanted file may have had this name."""
        return not self._names.isdisjoint(plain_names(filename))

    def name_for(self, found: Found) -> str | None:
        """The file name that such bytes have at the source; None when nobody wants them."""
        items = self.by_bytes.get((found.size, found.checksum))
        return items[0].filename if items else None


@dataclass(frozen=True, slots=True)
class Match:
    """A file of the tree and what it serves."""

    file: TreeFile
    found: Found
    wanted: tuple[Wanted, ...]


@dataclass(slots=True)
class Matches:
    """All of a tree."""

    taken: list[Match] = field(default_factory=list)
    spare: list[TreeFile] = field(default_factory=list)


def match(
    wishes: Wishes, read: Mapping[str, Found], files: Iterable[TreeFile], archive_root: Path
) -> Matches:
    """Share the files out. ``read`` holds what was read of them, by path.

    Several files with the same bytes serve one wish each; when there are more wishes than files
    (a duplicate in iCloud is another asset), the last file serves all that are left. Files that
    lie in the archive already come first, because nothing needs to be made for them.
    """
    sharers: dict[Bytes, list[TreeFile]] = defaultdict(list)
    for file in files:
        if (found := read.get(file.path)) is not None:
            key = (found.size, found.checksum)
            if key in wishes.by_bytes:
                sharers[key].append(file)
    result = Matches()
    for key, candidates in sharers.items():
        candidates.sort(key=lambda file: not Path(file.path).is_relative_to(archive_root))
        wanted = wishes.by_bytes[key]
        used = candidates[: len(wanted)]
        result.spare.extend(candidates[len(wanted) :])
        for number, file in enumerate(used):
            last = number == len(used) - 1
            mine = wanted[number:] if last else wanted[number : number + 1]
            result.taken.append(Match(file, read[file.path], tuple(mine)))
    return result
