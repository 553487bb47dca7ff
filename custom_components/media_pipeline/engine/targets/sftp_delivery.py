"""Delivering one file over SFTP: its name, its part file, and publishing it without overwriting.

Imports asyncssh: load it off the loop.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace as replace_fields
from typing import Final

from ..errors import NameRefused, TargetFull, TargetUnreachable
from ..names import names_for
from .base import Delivery, Shipment
from .paths import NameTaken, check_path, parent_of
from .sftp_copy import TwinDiffers, copy_twin
from .sftp_link import SftpLink
from .sftp_parts import write_part
from .sftp_proof import hash_of
from .sftp_session import Found, SftpSession
from .tasks import run_together

_PUBLISH_TRIES: Final = 4
_NAMES_AT_ONCE: Final = 3


async def deliver(
    link: SftpLink,
    item: Shipment,
    *,
    replace: bool,
    on_bytes: Callable[[int], None] | None,
    twin: str | None = None,
) -> Delivery:
    """See ``Target.deliver``, and for ``twin`` ``CopiesThere.deliver_twin``."""
    check_path(item.path)
    async with link.slots:
        session = await link.session()
        final, ours, free = await _choose(link, session, item, replace=replace)
        if ours:
            return Delivery(final, item.size, already_there=True)
        if free is not None and free < item.size + link.config.reserve_bytes:
            raise TargetFull(f"no room for {item.size} bytes", path=session.root)
        await session.make_folder(parent_of(final))
        part, proof, twin_differs = None, None, False
        if twin is not None:
            try:
                part = await copy_twin(link, session, item, twin, final)
            except TwinDiffers:
                twin_differs = True
        if part is None:
            part, proof = await write_part(link, session, item, final, on_bytes)
        try:
            delivery = await _publish(link, session, item, part, final, replace=replace)
        except BaseException:  # cancelled too: no half file may stay behind
            await link.discard(session, part)
            raise
        if delivery.already_there:
            await link.discard(session, part)
            proof = None  # that is another file
        link.settled(part)
        return replace_fields(delivery, twin_differs=twin_differs, proof=proof)


async def _choose(
    link: SftpLink, session: SftpSession, item: Shipment, *, replace: bool
) -> tuple[str, bool, int | None]:
    """The name to use, whether our bytes are there already, and the free space."""
    names = list(names_for(item.path, item.sha256))
    found: dict[str, Found | None] = {}
    free: int | None = None

    async def look(name: str) -> None:
        found[name] = await session.look(name)

    async def ask_space() -> None:
        nonlocal free
        free = await session.free_bytes()

    # The requests travel together, in one round trip; more names are hardly ever needed.
    first = map(look, names[:_NAMES_AT_ONCE])
    await run_together([link.check_marker(session), ask_space(), *first])
    for name in names:
        if name not in found:
            await look(name)
        there = found[name]
        if there is None:
            return name, False, free
        if there.regular:
            same_size = there.size == item.size
            if same_size and await hash_of(link, session, name, item.size) == item.sha256:
                return name, True, free
            if replace and name == item.path:
                return name, False, free
    raise NameRefused(f"all names for {item.path} are taken", path=item.path)


async def _publish(
    link: SftpLink, session: SftpSession, item: Shipment, part: str, final: str, *, replace: bool
) -> Delivery:
    ours = False
    for _ in range(_PUBLISH_TRIES):
        replacing = replace and final == item.path
        with suppress(NameTaken):
            await _last_look(link, session, part, final, item.mtime, replacing=replacing)
            await session.publish(part, final, replace=replacing)
            return Delivery(final, item.size)
        final, ours, _ = await _choose(link, session, item, replace=replace)
        if ours:
            return Delivery(final, item.size, already_there=True)
    raise TargetUnreachable(f"somebody else keeps writing {item.path}", path=item.path)


async def _last_look(
    link: SftpLink, session: SftpSession, part: str, final: str, mtime: float, *, replacing: bool
) -> None:
    """Set the time, and see that the disk is still there and the name free, in one round trip.

    Some servers overwrite on a plain rename, against the standard; so the name is looked at.
    """

    async def name() -> None:
        if not replacing and await session.look(final) is not None:
            raise NameTaken(final)

    async def time_() -> None:
        await session.set_time(part, mtime)

    await run_together([time_(), link.check_marker(session), name()])
