"""Delivering to a target over HTTP: a part file is sent, looked at, and given a free name."""

import asyncio
from contextlib import suppress
from typing import Final
from weakref import WeakValueDictionary

from ..errors import CopyMismatch, FileVanished, NameRefused, TargetUnreachable
from ..names import collision_key, names_for
from .base import Delivery, ProofRequest
from .outgoing import Outgoing
from .paths import NameTaken, parent_of, plain_part_path
from .store import Store
from .store_leftovers import OwnParts, discard
from .store_reading import prove_one
from .store_setup import look_for_marker
from .tasks import run_together

_PUBLISH_TRIES: Final = 4


class StoreDelivery:
    """Gives files their names at one store; two of ours never take the same."""

    def __init__(self, store: Store, parts: OwnParts) -> None:
        """``parts`` remembers what may be left of a broken transfer."""
        self._store = store
        self._parts = parts
        self._names: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def find_name(self, outgoing: Outgoing, path: str, *, replace: bool) -> tuple[str, bool]:
        """The name to use, and whether our bytes are there already."""
        for name in names_for(path, outgoing.sha256 or ""):
            there = await self._store.look(name)
            if there is None:
                return name, False
            if there.folder:
                continue
            if there.size == outgoing.size:
                request = ProofRequest(name, there.size, outgoing.source)
                proof = await prove_one(self._store, request)
                if proof.sha256 == outgoing.sha256:
                    return name, True
            if replace and name == path:
                return name, False
        raise NameRefused(f"all names for {path} are taken", path=path)

    async def send(self, outgoing: Outgoing, final: str, path: str, *, replace: bool) -> Delivery:
        """Send to a part file and publish it as ``final``, which was found for ``path``.

        Another name is found when somebody takes that one meanwhile.
        """
        await self._store.make_folder(parent_of(final))
        part = plain_part_path(final)
        self._parts.begun(part)
        try:
            await self._store.send(outgoing, part)
            await self._check_part(part, outgoing)
            delivery = await self._publish(part, final, path, outgoing, replace=replace)
        except BaseException:  # cancelled too: no half file may stay behind
            await discard(self._store, part)
            raise
        if delivery.already_there:
            await discard(self._store, part)
        else:
            self._parts.published(part)
        return delivery

    async def _check_part(self, part: str, outgoing: Outgoing) -> None:
        """What arrived, as far as that can be seen without reading it back: verify does that."""
        if not outgoing.digests:
            raise CopyMismatch("it was said to be there before all of it was sent", path=part)
        name = self._store.hash_name
        there = await self._store.look(part, digest=True)
        if there is None:
            raise CopyMismatch("nothing arrived, although it was said to be sent", path=part)
        if there.size != outgoing.size:
            raise CopyMismatch(f"{there.size} instead of {outgoing.size} bytes", path=part)
        theirs = dict(there.digests).get(name or "")
        if theirs and theirs != outgoing.digests[name or "sha256"]:
            raise CopyMismatch(f"other bytes arrived than were sent ({name})", path=part)

    async def _publish(
        self, part: str, final: str, path: str, outgoing: Outgoing, *, replace: bool
    ) -> Delivery:
        for _ in range(_PUBLISH_TRIES):
            replacing = replace and final == path
            # Of two files for one name here, the second must see the first: not all servers
            # refuse to rename over a file.
            async with self._name_lock(final):
                with suppress(NameTaken):
                    await run_together(
                        [
                            look_for_marker(self._store),
                            self._name_is_free(final, replacing=replacing),
                        ]
                    )
                    await self._store.move(part, final, replace=replacing)
                    await self._see(part, final, outgoing.size)
                    return Delivery(final, outgoing.size)
            final, ours = await self.find_name(outgoing, path, replace=replace)
            if ours:
                return Delivery(final, outgoing.size, already_there=True)
        raise TargetUnreachable(f"somebody else keeps writing {path}", path=path)

    async def rename(self, path: str, to: str) -> bool:
        """Give a file another name; False when it is gone or ``to`` is taken."""
        there = await self._store.look(path)
        if there is None or there.folder:
            return False
        await self._store.make_folder(parent_of(to))
        async with self._name_lock(to):
            try:
                await self._name_is_free(to, replacing=False)
                await self._store.move(path, to, replace=False)
            except NameTaken, FileVanished:
                return False
        return True

    def _name_lock(self, path: str) -> asyncio.Lock:
        return self._names.setdefault(collision_key(path), asyncio.Lock())

    async def _name_is_free(self, path: str, *, replacing: bool) -> None:
        if not replacing and await self._store.look(path) is not None:
            raise NameTaken(path)

    async def _see(self, part: str, path: str, size: int) -> None:
        there = await self._store.look(path)
        if there is not None and there.size == size:
            return
        if there is None and await self._store.look(part) is None:
            raise NameRefused("the other side gave it another name", path=path)
        raise CopyMismatch("not there after it was said to be renamed", path=path)
