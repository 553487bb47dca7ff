"""What is done when a target over HTTP is opened: recognise or claim the place, and try it out."""

import asyncio
import os
from contextlib import aclosing, suppress
from typing import Final

from ..errors import (
    CopyMismatch,
    FileVanished,
    MarkerForeign,
    MarkerMissing,
    NameRefused,
    PipelineError,
    TargetPathMissing,
    TargetUnreachable,
)
from ..marker import MARKER_NAME, marker_for_claim, parse_marker
from .paths import NameTaken, plain_part_path, probe_name
from .store import Store
from .store_leftovers import discard

_MARKER_LIMIT: Final = 4096


async def claim(store: Store, owner: str | None) -> str:
    """Take a place into use: make it, try it out, adopt or write its marker."""
    there = await store.look("")
    if there is None:
        await store.make_folder("")
    try:
        await try_out(store)
        marker_id, text = marker_for_claim(await _read_small(store, MARKER_NAME), owner)
        if text is not None:
            part = plain_part_path(MARKER_NAME)
            await _put_small(store, part, text.encode(), MARKER_NAME, replace=True)
            if await _read_marker(store) != marker_id:
                raise CopyMismatch("the marker came back different", path=store.name)
    except BaseException:  # cancelled too: a folder made for the test goes
        if there is None:
            with suppress(PipelineError, TimeoutError):
                async with asyncio.timeout(10):
                    await store.remove_root()
        raise
    return marker_id


async def check_marker(store: Store, marker_id: str) -> None:
    """Raise MarkerMissing or MarkerForeign unless the place carries our marker."""
    found = await _read_marker(store)
    if found is None:
        raise MarkerMissing(f"no marker in {store.name}", path=store.name)
    if found != marker_id:
        raise MarkerForeign(f"foreign marker in {store.name}", path=store.name)


async def look_for_marker(store: Store) -> None:
    """Quicker than ``check_marker``: that it is there, not what it says."""
    if await store.look(MARKER_NAME) is None:
        raise MarkerMissing(f"the marker vanished from {store.name}")


async def try_out(store: Store) -> None:
    """Write, publish, read back and remove a small file."""
    name, data = probe_name(), os.urandom(64)
    try:
        await _put_small(store, plain_part_path(name), data, name, replace=False)
        back = await _read_small(store, name)
        if back != data:
            raise CopyMismatch("read back other bytes than were written", path=store.name)
    except (NameRefused, FileVanished) as err:
        raise TargetPathMissing(err.detail, path=store.name) from err
    finally:
        with suppress(PipelineError):
            await store.remove(name)


async def _put_small(store: Store, part: str, data: bytes, name: str, *, replace: bool) -> None:
    try:
        await store.write_small(part, data)
        await store.move(part, name, replace=replace)
    except NameTaken as err:
        await discard(store, part)
        raise TargetUnreachable(f"somebody else writes {name}", path=name) from err
    except BaseException:  # cancelled too: the test file goes
        await discard(store, part)
        raise


async def _read_small(store: Store, path: str) -> bytes | None:
    data = b""
    try:
        async with aclosing(store.read(path)) as pieces:
            async for piece in pieces:
                data += piece
                if len(data) > _MARKER_LIMIT:
                    break
    except FileVanished:
        return None
    return data


async def _read_marker(store: Store) -> str | None:
    text = await _read_small(store, MARKER_NAME)
    return parse_marker(text) if text is not None else None
