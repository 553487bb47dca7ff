"""A world whose one target is a phone.

The phone is a real SSH server whose commands are those of Termux: real programs that we wrote.
"""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from custom_components.media_pipeline.engine.config import EngineConfig, TargetConfig
from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.errors import PipelineError
from custom_components.media_pipeline.engine.home import Item
from custom_components.media_pipeline.engine.model import TargetStatus
from tests.support.phone import Phone

from ..harness import World, make_world
from ..targets.conftest import need_sshd

ASSETS = 6


@dataclass
class Owner:
    """What the phone's owner's home says; a real answer to each question of the engine."""

    closed: PipelineError | None = None
    opened: list[str] = field(default_factory=list)

    async def may_send(self, config: TargetConfig) -> None:
        if self.closed is not None:
            raise self.closed

    async def open_photos(self, config: TargetConfig) -> None:
        self.opened.append(config.target_id)

    async def check_action(self, config: TargetConfig) -> None: ...

    async def run_action(self, config: TargetConfig, item: Item) -> None: ...


class PhoneWorld(World):
    """Its one target is a phone."""

    phone: Phone
    owner: Owner
    options: dict[str, Any]

    def config(self) -> EngineConfig:
        options = {"scan_seconds": 2.0, **self.options}
        target = self.phone.target_config(self.target, target_id="disk", **options)
        return replace(super().config(), targets=(target,))

    @asynccontextmanager
    async def core(self) -> AsyncIterator[Core]:
        core = Core(self.config(), lambda _: None, self.events.append, self.owner)
        try:
            await core.open()
            await self.sign_in(core)
            yield core
        finally:
            await core.close()

    def sql(self, statement: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(self.root / "private/catalog.db")) as database:
            rows = database.execute(statement, values).fetchall()
            database.commit()
            return rows


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    need_sshd()
    with make_world(tmp_path, monkeypatch, assets=ASSETS) as world:
        yield world


@pytest.fixture
async def world(made: World, tmp_path: Path) -> AsyncIterator[PhoneWorld]:
    world = PhoneWorld(**{name: getattr(made, name) for name in made.__dataclass_fields__})
    world.owner = Owner()
    world.options = {}
    world.phone = await Phone(made.target, tmp_path / "phone").start()
    yield world
    await world.phone.close()


async def status(core: Core) -> TargetStatus:
    snapshot = await core.board.refresh()
    return snapshot.targets["disk"]
