"""One zone of the photo database: its assets, what happened to them, and the change log."""

import base64
import hashlib
import time
from dataclasses import dataclass, replace
from typing import Any

from .albums import Albums
from .media import Media
from .specs import Kind, Role, Spec, make_spec

MASTER, ASSET, ALBUM = 0, 1, 2
"""The parts of a log entry: which of an asset's records, or that it is about albums."""
DAY_MS = 86_400_000
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class State:
    """What happened to an asset since it was taken."""

    deleted: bool = False
    hidden: bool = False
    favorite: bool = False
    purged: bool = False
    expunge_ms: int = 0
    edits: int = 0
    caption: str = ""
    description: str = ""
    keywords: tuple[str, ...] = ()
    place: tuple[float, ...] | None = None
    subtype: int = -1
    odd: str = ""
    master_tag: str = ""
    asset_tag: str = ""
    modified_ms: int = 0


FRESH = State()


def base36(number: int) -> str:
    """The look of Apple's change tags."""
    text = ""
    while True:
        number, digit = divmod(number, 36)
        text = DIGITS[digit] + text
        if not number:
            return text


class Zone:
    """Assets 0 … count-1 come from the seed, later ones from `add`."""

    def __init__(
        self,
        name: str,
        count: int,
        media: Media,
        *,
        cycle: tuple[Kind, ...],
        newest_ms: int,
        real: int = 0,
        huge: int = 0,
    ) -> None:
        self.name = name
        self.count = count
        self.media = media
        self.newest_ms = newest_ms
        self.extras: list[Spec] = []
        self.states: dict[int, State] = {}
        self.log: list[tuple[int, int]] = []
        self.last: dict[tuple[int, int], int] = {}
        self.revision = 0
        self._cycle = cycle
        self._real = real
        self._huge = huge
        self._key = f"{media.seed}/{name}"
        self.albums = Albums(self._key, lambda index: self.name_of(index, ASSET), self._note_album)
        self._members: dict[str, tuple[int, set[int]]] = {}
        self._orders: dict[str, tuple[int, list[int]]] = {}
        self._facts: dict[tuple[int, Role, int], tuple[int, str]] = {}
        self._totals: list[int] | None = None

    # -- who is who -----------------------------------------------------------------------------

    def spec(self, index: int) -> Spec:
        """What the asset is."""
        if index >= self.count:
            return self.extras[index - self.count]
        return make_spec(
            self.name,
            index,
            cycle=self._cycle,
            newest_ms=self.newest_ms,
            real=self._real,
            huge=self._huge,
        )

    def state(self, index: int) -> State:
        """What happened to it."""
        return self.states.get(index, FRESH)

    def __len__(self) -> int:
        return self.count + len(self.extras)

    def _mark(self, index: int, part: int) -> str:
        return hashlib.sha256(f"{self._key}/{index}/{part}".encode()).hexdigest()

    def name_of(self, index: int, part: int) -> str:
        """The record name; the index can be read back from it."""
        mark = self._mark(index, part)
        if part == MASTER:
            raw = b"\x01" + bytes.fromhex(mark[:32]) + index.to_bytes(4)
            return base64.b64encode(raw).decode()
        text = f"{mark[:8]}-{mark[8:12]}-4{mark[12:15]}-A{mark[15:18]}-{mark[18:22]}{index:08x}"
        return text.upper()

    def find(self, name: str) -> tuple[int, int] | None:
        """Index and part of a record name, when this zone has it."""
        try:
            if len(name) == 28:
                index, part = int.from_bytes(base64.b64decode(name)[-4:]), MASTER
            else:
                index, part = int(name[-8:], 16), ASSET
        except ValueError:
            return None
        if index >= len(self) or self.name_of(index, part) != name:
            return None
        if self.gone(index, part) or (part == MASTER and self.spec(index).owner != index):
            return None
        return index, part

    def gone(self, index: int, part: int) -> bool:
        """Whether a record was removed for good; a master lives as long as any of its assets."""
        if part == ALBUM:
            return self.albums.things[index].gone
        if not self.state(index).purged:
            return False
        return part == ASSET or not any(
            spec.owner == index and not self.state(spec.index).purged for spec in self.extras
        )

    def tag(self, index: int, part: int) -> str:
        """The change tag of a record."""
        state = self.state(index)
        return (state.asset_tag if part else state.master_tag) or base36(4096 + index * 2 + part)

    def facts(self, index: int, role: Role) -> tuple[int, str]:
        """Size and checksum of a resource."""
        edits = self.state(index).edits
        key = (index, role, edits)
        known = self._facts.get(key)
        if known is None:
            body = self.media.body(self.spec(index), role, edits)
            known = self._facts[key] = (body.size, body.checksum())
        return known

    def prepare(self, indices: list[int]) -> None:
        """Work out sizes and checksums; slow the first time, so it runs beside the loop."""
        for index in indices:
            for role in self.spec(index).roles(edited=self.state(index).edits > 0):
                self.facts(index, role)

    def _note_album(self, number: int) -> None:
        self.revision += 1
        self.note(number, ALBUM)

    # -- changes --------------------------------------------------------------------------------

    def note(self, index: int, part: int) -> None:
        """Write a change into the log; with ALBUM the index is a number in ``albums``."""
        self.last[(index, part)] = len(self.log)
        self.log.append((index, part))

    def change(self, index: int, *, parts: tuple[int, ...] = (ASSET,), **fields: Any) -> State:
        """Change an asset: new tags, log entries, totals."""
        self._weigh(index, -1)
        self.revision += 1
        state = replace(self.state(index), modified_ms=int(time.time() * 1000), **fields)
        tag = base36(60_466_176 + self.revision)
        for part in parts:
            state = replace(state, asset_tag=tag) if part else replace(state, master_tag=tag)
        self.states[index] = state
        self._weigh(index, +1)
        for part in parts:
            self.note(index, part)
        return state

    def trash(self, index: int) -> State:
        """Move to Recently Deleted."""
        expunge = int(time.time() * 1000) + 30 * DAY_MS
        return self.change(index, deleted=True, expunge_ms=expunge)

    def restore(self, index: int) -> State:
        """Take back out of Recently Deleted."""
        return self.change(index, deleted=False, expunge_ms=0)

    def purge(self, index: int) -> State:
        """Remove for good; the master goes with its last asset."""
        owner = self.spec(index).owner
        state = self.change(index, purged=True)
        if self.gone(owner, MASTER):
            self.note(owner, MASTER)
        return state

    def add(self, kind: Kind, date_ms: int, *, size: int = 0, real: bool = False) -> int:
        """A new asset from a camera."""
        index = len(self)
        template = make_spec(self.name, index, cycle=(kind,), newest_ms=date_ms, real=0, huge=0)
        spec = replace(template, date_ms=date_ms, added_ms=int(time.time() * 1000))
        return self._append(replace(spec, size=size, real=real))

    def add_burst(self, count: int, date_ms: int) -> list[int]:
        """A burst, ten photos a second; the first was picked."""
        indices = [self.add(Kind.BURST, date_ms + 100 * number) for number in range(count)]
        for index in indices:
            spec = self.extras[index - self.count]
            self.extras[index - self.count] = replace(
                spec, burst=self.extras[indices[0] - self.count].burst, pick=index == indices[0]
            )
        return indices

    def duplicate(self, index: int) -> int:
        """A second asset on the same master, as "Duplicate" makes it."""
        source = self.spec(index)
        copy = replace(
            source,
            index=len(self),
            master_index=source.owner,
            added_ms=int(time.time() * 1000),
        )
        return self._append(copy)

    def take(self, spec: Spec, state: State) -> int:
        """An asset that was moved here from another library: new records, the same bytes."""
        moved = replace(
            spec, zone=self.name, index=len(self), master_index=-1, origin=spec.origin or spec
        )
        self.states[moved.index] = State(
            edits=state.edits, favorite=state.favorite, caption=state.caption
        )
        return self._append(moved)

    def _append(self, spec: Spec) -> int:
        self.extras.append(spec)
        self.revision += 1
        self._weigh(spec.index, +1)
        if spec.owner == spec.index:
            self.note(spec.index, MASTER)
        self.note(spec.index, ASSET)
        return spec.index

    # -- orders and totals ----------------------------------------------------------------------

    def order(self, view: str) -> list[int]:
        """The indices in an index of the database, newest first."""
        revision, known = self._orders.get(view, (-1, []))
        if revision == self.revision:
            return known
        everyone = [*range(len(self))]
        if self.extras:
            dates = {spec.index: spec.date_ms for spec in self.extras}
            everyone.sort(key=lambda i: -(dates.get(i) or self.spec(i).date_ms))
        if view == "added":
            everyone.sort(key=lambda i: -self.spec(i).added_ms)
        order = [index for index in everyone if self._belongs(index, view)]
        if view == "deleted":
            order.sort(key=lambda i: -self.state(i).expunge_ms)
        self._orders[view] = (self.revision, order)
        return order

    def _belongs(self, index: int, view: str) -> bool:
        state = self.state(index)
        if state.purged or state.deleted != (view == "deleted"):
            return False
        if view in {"deleted", "added"}:
            return True
        if state.hidden != (view == "hidden"):
            return False
        if view == "hidden":
            return True
        if view == "library":
            return self.spec(index).pick
        if view.startswith("album:"):
            return index in self._in_album(view.removeprefix("album:"))
        if view == "favorite":
            return state.favorite
        spec = self.spec(index)
        return {
            "video": spec.is_video,
            "live": spec.kind in {Kind.LIVE, Kind.LIVE_JPEG},
            "screenshot": spec.kind is Kind.PNG,
            "burst": bool(spec.burst),
        }.get(view, False)

    def _in_album(self, album: str) -> set[int]:
        revision, known = self._members.get(album, (-1, set()))
        if revision != self.revision:
            known = self.albums.members(album)
            self._members[album] = (self.revision, known)
        return known

    def weight(self, index: int) -> int:
        """The bytes an asset takes of the quota."""
        spec, state = self.spec(index), self.state(index)
        roles = spec.roles(edited=state.edits > 0)
        if spec.owner != index:
            return 0
        return sum(self.media.size_of(spec, role, state.edits) for role in roles)

    def _weigh(self, index: int, sign: int) -> None:
        state = self.state(index)
        if self._totals is not None and not state.purged:
            self._totals[2 * state.deleted] += sign
            self._totals[2 * state.deleted + 1] += sign * self.weight(index)

    def totals(self) -> tuple[int, int, int, int]:
        """Present, their bytes, in Recently Deleted, their bytes."""
        if self._totals is None:
            self._totals = [0, 0, 0, 0]
            for index in range(len(self)):
                self._weigh(index, +1)
        present, present_bytes, trashed, trashed_bytes = self._totals
        return present, present_bytes, trashed, trashed_bytes
