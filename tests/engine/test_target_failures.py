"""A target that fails: others go on, nothing half stays, catching up costs what was missed."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.model import RunOutcome, Stage
from tests.support.asyncssh_server import AsyncsshServer
from tests.support.cutting_relay import CuttingRelay

from .harness import World, hashes, make_world, media_files, run

ASSETS = 8


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch, assets=ASSETS, photo_bytes=40_000) as made:
        yield made


@pytest.fixture
async def relay(world: World, tmp_path: Path) -> AsyncIterator[CuttingRelay]:
    """The way to a second target: an SFTP server, reached through a relay."""
    server = await AsyncsshServer(tmp_path / "server").start()
    relay = await CuttingRelay(server.access.port).start()
    (tmp_path / "server" / "nas").mkdir(parents=True, exist_ok=True)
    config = server.access.target_config("nas", target_id="nas", name="NAS", off_machine=True)
    world.others = (replace(config, port=relay.port),)
    yield relay
    await relay.shut()
    await server.close()


def nas(world: World) -> Path:
    return world.root / "server" / "nas"


async def state_of(core: Core, target_id: str) -> str:
    return (await core.board.refresh()).targets[target_id].state


def parts(folder: Path) -> list[Path]:
    """Half photos; a cut in the first look at a folder may leave a hidden test file of 64 bytes."""
    found = folder.rglob(".*mp-part*")
    return [path for path in found if path.is_file() and path.stat().st_size > 1000]


async def test_away_for_long(world: World, relay: CuttingRelay) -> None:
    async with world.core() as core:
        first = await run(core)
        assert first.outcome is RunOutcome.COMPLETED
        before = {path: path.stat().st_mtime_ns for path in media_files(nas(world))}
        assert len(before) >= ASSETS
        await relay.shut()
        for _ in range(3):
            world.stand_in.control("add", count=2)
            away = await run(core)
            assert away.outcome is RunOutcome.COMPLETED_WITH_PROBLEMS
            assert await state_of(core, "nas") == "target_unreachable"
            assert set(hashes(world.target).values()) == set(hashes(world.archive).values())
        shown = (await core.board.refresh()).targets
        assert shown["nas"].missing > 0
        assert shown["disk"].missing == 0
        missed = len(media_files(world.archive)) - len(before)

        await relay.start()
        sent = relay.passed
        back = await run(core)

        assert back.outcome is RunOutcome.COMPLETED
        assert await state_of(core, "nas") == "ok"
        now = {path: path.stat().st_mtime_ns for path in media_files(nas(world))}
        assert set(hashes(nas(world)).values()) == set(hashes(world.archive).values())
        assert len(now) - len(before) == missed
        assert before.items() <= now.items(), "what was there is not sent again"
        caught_up = relay.passed - sent
        idle = relay.passed
        await run(core, Stage.SYNC, Stage.VERIFY)
        assert relay.passed - idle < caught_up / 4, "nothing is left to do"


async def test_cut_at_every_step(world: World, relay: CuttingRelay) -> None:
    async with world.core() as core:
        await run(core, Stage.INGEST)
        whole = set(hashes(world.archive).values())
        limit = 100
        while limit < 1_500_000:
            relay.cut_after = limit
            cuts = relay.cuts
            ended = await run(core, Stage.SYNC, Stage.VERIFY)
            assert set(hashes(nas(world)).values()) <= whole, "a half file got its name"
            if relay.cuts > cuts:
                assert ended.outcome is RunOutcome.COMPLETED_WITH_PROBLEMS
                assert await state_of(core, "nas") == "target_unreachable"
            limit = limit * 2 + 777
        assert relay.cuts > 5
        assert set(hashes(world.target).values()) == whole, "the other target is not held up"

        relay.cut_after = None
        ended = await run(core, Stage.SYNC, Stage.VERIFY)

        assert ended.outcome is RunOutcome.COMPLETED
        assert set(hashes(nas(world)).values()) == whole
        assert len(media_files(nas(world))) == len(media_files(world.archive))
        shown = (await core.board.refresh()).targets["nas"]
        assert (shown.state, shown.missing) == ("ok", 0)
        assert shown.verified == shown.copies > 0
        assert parts(nas(world)) == []
