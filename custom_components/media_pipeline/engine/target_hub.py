"""The targets of one engine: opened when first needed, closed after the run, states remembered."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from .catalog import copy_results, host_keys, work
from .catalog.brakes import Brake
from .catalog.database import Catalog
from .catalog.manifests import ARCHIVE
from .config import SftpTargetConfig, TargetConfig
from .errors import PipelineError, ReadsWrong, TargetWaiting, UnknownTarget
from .home import AsksHome, Home
from .targets.base import Target, TargetIdentity
from .targets.known_keys import KnownKeys, KnowsServer
from .targets.registry import make_target, probe_target
from .targets.trial import Finding, try_out


class TargetHub:
    """Opens each target once; two stages of a run share it."""

    def __init__(
        self,
        configs: tuple[TargetConfig, ...],
        catalog: Catalog,
        owner: str | None = None,
        make: Callable[[TargetConfig, TargetIdentity], Target] = make_target,
        home: Home | None = None,
    ) -> None:
        """Nothing is opened yet. ``owner`` is the archive's marker id.

        ``home`` is for targets that ask it (see ``engine.home``).
        """
        self.home = home
        self._owner = owner
        self._configs = {config.target_id: config for config in configs}
        self._catalog = catalog
        self._make = make
        self._open: dict[str, Target] = {}
        self._made: list[Target] = []
        self._locks: dict[str, asyncio.Lock] = {}
        self.resting: set[str] = set()
        """Targets that wait for their owner's conditions: nothing is wrong with them."""
        self.brakes: dict[str, Brake] = {}
        """Places, also the archive, that read wrong everywhere, see ``stages.brake``."""
        self._closed = {config.target_id for config in configs if config.gated}

    @property
    def configs(self) -> dict[str, TargetConfig]:
        """All configured targets by id."""
        return self._configs

    def set_gate(self, target_id: str, *, is_open: bool) -> None:
        """Let a run use a target, or not: what is under way there is finished."""
        if is_open:
            self._closed.discard(target_id)
        elif target_id in self._configs:
            self._closed.add(target_id)

    def may_use(self, target_id: str) -> bool:
        """False while a target's gate is closed."""
        return target_id not in self._closed

    def held(self, place: str) -> bool:
        """True while nobody may write down, send or heal what is wrong at a place."""
        brake = self.brakes.get(place)
        return brake is not None and brake.accepted is None

    @property
    def anything_held(self) -> bool:
        """True while the archive or a target that is set up is held."""
        return any(self.held(place) for place in (ARCHIVE, *self._configs))

    def _state(self, target_id: str) -> str:
        """Of a target that answers."""
        return ReadsWrong.key if self.held(target_id) else "ok"

    async def get(self, target_id: str) -> Target:
        """The open target. Raises what ``Target.open`` raises; its state is stored either way."""
        lock = self._locks.setdefault(target_id, asyncio.Lock())
        async with lock:
            target = self._open.get(target_id)
            if target is not None:
                return target
            rows = await self._catalog.read(work.known_targets)
            row = rows[target_id]
            target = self._new(self._configs[target_id], row)
            # known before it is opened: whatever cuts this off, ``close`` finds it
            self._made.append(target)
            if isinstance(target, KnowsServer) and target.known_keys.void:
                await self.forget_host_keys(target_id)
            try:
                info = await target.open()
            except PipelineError as err:
                await self.failed(target_id, err)
                raise
            await self._catalog.write(
                copy_results.target_opened, target_id, info, self._state(target_id)
            )
            self._open[target_id] = target
            self.resting.discard(target_id)
            return target

    async def try_again(self, config: TargetConfig) -> None:
        """Try a known target out, with what is remembered of it; its state is stored on success.

        ``config`` may differ from the stored one. Raises what ``Target.open`` raises.
        """
        row = (await self._catalog.read(work.known_targets))[config.target_id]
        info = await probe_target(config, self._identity(row))
        await self._catalog.write(
            copy_results.target_opened, config.target_id, info, self._state(config.target_id)
        )

    async def test(self, target_id: str, private: Path) -> list[Finding]:
        """Try out all that a target must be able to do, over a connection of its own.

        ``private`` is a folder for test files. Raises UnknownTarget.
        """
        config = self._configs.get(target_id)
        if config is None:
            raise UnknownTarget(f"no target {target_id}")
        row = (await self._catalog.read(work.known_targets))[target_id]
        target = self._new(config, row)
        return await try_out(target, private)

    async def apart(self, target_id: str) -> Target:
        """A target with a connection of its own, not yet open, that asks for no conditions.

        The caller closes it. Raises UnknownTarget.
        """
        config = self._configs.get(target_id)
        if config is None:
            raise UnknownTarget(f"no target {target_id}")
        row = (await self._catalog.read(work.known_targets))[target_id]
        return self._make(config, TargetIdentity(row.marker_id, row.device_id, self._owner))

    def _new(self, config: TargetConfig, row: Any) -> Target:
        target = self._make(config, self._identity(row))
        if isinstance(target, AsksHome):
            target.home = self.home
        if isinstance(target, KnowsServer):
            target.known_keys.on_change = partial(self._keep, config.target_id, target.known_keys)
        return target

    def _identity(self, row: Any) -> TargetIdentity:
        return TargetIdentity(row.marker_id, row.device_id, self._owner, row.host_keys)

    async def _keep(self, target_id: str, keys: KnownKeys) -> None:
        await self._catalog.write(host_keys.remember, target_id, keys.text, keys.fingerprints)

    async def known_host_keys(self, config: TargetConfig) -> tuple[str, ...]:
        """By which keys (lines) a target's server may show itself, the one shown last first."""
        if not isinstance(config, SftpTargetConfig):
            return ()
        text = await self._catalog.read(host_keys.remembered, config.target_id)
        return KnownKeys(config.host_key, text).lines

    async def forget_host_keys(self, target_id: str) -> None:
        """From now on only the key counts that a person confirmed."""
        await self._catalog.write(host_keys.forget, target_id)

    async def failed(self, target_id: str, err: PipelineError) -> None:
        """A target stopped working: let go of it and remember why."""
        if isinstance(err, TargetWaiting):
            self.resting.add(target_id)
        target = self._open.pop(target_id, None)
        if target is not None:
            await target.close()
        await self._catalog.write(copy_results.target_failed, target_id, err.key)

    async def close(self) -> None:
        """Close every target that was ever made: one that failed may have been used since."""
        self._open = {}
        targets, self._made = self._made, []
        await asyncio.gather(*(target.close() for target in targets))
