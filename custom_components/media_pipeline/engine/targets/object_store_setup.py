"""What is done when a store is opened: recognise or claim the place, and try it out.

obstore is imported by whoever made the client, off the loop; here it is there already.
Errors of obstore are let through.
"""

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import CopyMismatch, MarkerForeign, MarkerMissing
from ..marker import MARKER_NAME, marker_for_claim, parse_marker
from .object_store_errors import ignores_conditions
from .paths import probe_name

if TYPE_CHECKING:
    from obstore import Attributes
    from obstore.store import ObjectStore


async def check_marker(store: ObjectStore, marker_id: str) -> None:
    """Raise MarkerMissing or MarkerForeign unless the place carries our marker."""
    text = await _read_marker(store)
    found = parse_marker(text) if text is not None else None
    if found is None:
        await _reach(store)  # a bucket that is gone has no marker either, and says so here
        raise MarkerMissing(f"no object {MARKER_NAME}", path=MARKER_NAME)
    if found != marker_id:
        raise MarkerForeign("another target's marker", path=MARKER_NAME)


async def claim(store: ObjectStore, owner: str | None, attributes: Attributes) -> tuple[str, bool]:
    """Take a place into use for the first time; its marker's id, and what ``try_out`` told."""
    import obstore
    from obstore.exceptions import AlreadyExistsError

    await _reach(store)
    create_only = await try_out(store, attributes)
    before = await _read_marker(store)
    marker_id, text = marker_for_claim(before, owner)
    if text is not None:
        mode: obstore.PutMode = "create" if create_only and before is None else "overwrite"
        try:
            await obstore.put_async(
                store, MARKER_NAME, text.encode(), mode=mode, use_multipart=False
            )
        except AlreadyExistsError:  # somebody was quicker
            marker_id, _ = marker_for_claim(await _read_marker(store), owner)
    return marker_id, create_only


async def try_out(store: ObjectStore, attributes: Attributes) -> bool:
    """Write, read back and remove a small object; whether create-only writes are kept."""
    import obstore
    from obstore.exceptions import AlreadyExistsError, BaseError

    name, data = probe_name(), os.urandom(64)
    create_only = False
    try:
        try:
            await obstore.put_async(
                store, name, data, mode="create", attributes=attributes, use_multipart=False
            )
        except BaseError as err:
            if not ignores_conditions(err):
                raise
            await obstore.put_async(store, name, data, attributes=attributes, use_multipart=False)
        else:
            other = os.urandom(64)
            try:
                await obstore.put_async(store, name, other, mode="create", use_multipart=False)
                data = other  # written over: the store doesn't know what it was asked
            except AlreadyExistsError:
                create_only = True
        answer = await obstore.get_async(store, name)
        if bytes(await answer.bytes_async()) != data:
            raise CopyMismatch("read back other bytes than were written", path=name)
    finally:
        with suppress(BaseError, FileNotFoundError):
            await obstore.delete_async(store, name)
    return create_only


async def _reach(store: ObjectStore) -> None:
    """List nothing: only a list tells a bucket that is not there from an empty one."""
    import obstore

    async for _ in obstore.list(store, prefix=probe_name()):
        return


async def _read_marker(store: ObjectStore) -> bytes | None:
    import obstore

    try:
        answer = await obstore.get_async(store, MARKER_NAME)
        return bytes(await answer.bytes_async())
    except FileNotFoundError:
        return None
