"""The way to a bucket: a client whose time limit fits the line, the marker, errors by our names."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Final

from ..errors import TargetUnreachable
from .base import TargetIdentity
from .object_store_access import Door, check_settings, make_store
from .object_store_config import ObjectStoreTargetConfig
from .object_store_errors import met_another, store_error, timed_out
from .object_store_leftovers import abort_uploads
from .object_store_pace import Pace
from .paths import NameTaken

if TYPE_CHECKING:
    from obstore import Attributes
    from obstore.store import ObjectStore

PARALLEL_READS: Final = 16
_MARKER_LASTS: Final = 60.0
"""Seconds for which a look at the marker does; a bucket is not unplugged like a disk."""
_QUICK_TIMEOUT: Final = 30.0
_QUICK_RETRIES: Final = 2


class ObjectStoreLink:
    """One bucket as seen from here. Connects by itself when it is first needed."""

    def __init__(self, config: ObjectStoreTargetConfig, identity: TargetIdentity) -> None:
        """``identity`` is what an earlier ``open`` told; empty for a place never used before."""
        self._config = config
        self.marker_id = identity.marker_id
        self._owner = identity.owner
        self._marker_read = 0.0
        self._store: ObjectStore | None = None
        self._timeout = 0.0
        self.create_only = False
        """Whether the store keeps its word when it is told to write only where nothing lies."""
        self._opening = asyncio.Lock()
        self.sending = Pace(config.parallel)
        self.reading = Pace(PARALLEL_READS)
        self.attributes: Attributes = (
            {"Storage-Class": config.storage_class} if config.storage_class else {}
        )
        """Of every object that is sent."""

    async def open(self) -> Door:
        """Connect anew; see ``ObjectStoreTarget.open``."""
        door = check_settings(self._config)
        async with self._opening:
            self._store = None
            await self._connect()
        return door

    def close(self) -> None:
        """Connect anew next time. obstore keeps no connection that would have to be ended."""
        self._store = None

    async def _connect(self) -> None:
        from .object_store_setup import check_marker, claim, try_out

        store = await asyncio.to_thread(make_store, self._config, _QUICK_TIMEOUT, _QUICK_RETRIES)
        with self.named():
            if self.marker_id is None:
                self.marker_id, self.create_only = await claim(store, self._owner, self.attributes)
            else:
                await check_marker(store, self.marker_id)
                self.create_only = await try_out(store, self.attributes)
        self._marker_read = monotonic()
        await abort_uploads(self._config)
        self._timeout = self.sending.timeout
        self._store = await asyncio.to_thread(make_store, self._config, self._timeout)

    async def client(self) -> ObjectStore:
        """The client, with a time limit that fits what the line showed."""
        if self._store is None:
            check_settings(self._config)
            async with self._opening:
                if self._store is None:
                    await self._connect()
        wanted = max(self.sending.timeout, self.reading.timeout)
        if self._store is None or not 0.5 <= wanted / self._timeout <= 1.5:
            store = await asyncio.to_thread(make_store, self._config, wanted)
            self._store, self._timeout = store, wanted
        return self._store

    async def check_marker(self, *, thorough: bool = False) -> None:
        """Raise MarkerMissing or MarkerForeign; the marker is read now and then."""
        from .object_store_setup import check_marker

        store = await self.client()
        if thorough or monotonic() - self._marker_read > _MARKER_LASTS:
            with self.named():
                await check_marker(store, self.marker_id or "")
            self._marker_read = monotonic()

    @contextmanager
    def named(self, path: str | None = None, pace: Pace | None = None) -> Iterator[None]:
        """Errors of obstore become ours; ``pace`` hears of those that the line may have caused."""
        from obstore.exceptions import AlreadyExistsError, BaseError

        try:
            yield
        except AlreadyExistsError as err:
            raise NameTaken(path) from err
        except (BaseError, FileNotFoundError, TimeoutError) as err:
            if met_another(err):
                raise NameTaken(path) from err
            error = store_error(err, self._config.bucket, path)
            if pace is not None and isinstance(error, TargetUnreachable):
                pace.failed(timed_out=timed_out(err))
            raise error from err
