"""Losing the sign-in pauses ingest, and only that; Apple is asked once however often we start."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine import account_desk
from custom_components.media_pipeline.engine.catalog import store
from custom_components.media_pipeline.engine.config import CompressConfig
from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.errors import InvalidCode
from custom_components.media_pipeline.engine.model import RunOutcome, Stage
from custom_components.media_pipeline.engine.sources.icloud import trust

from .harness import World, hashes, make_world, media_files, run, stats


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch, assets=10) as made:
        made.compress = CompressConfig(gentle=False)
        yield made


def core_of(world: World) -> Core:
    return Core(world.config(), lambda _: None, world.events.append)


async def test_other_stages_go_on_while_a_code_is_wanted(world: World) -> None:
    async with world.core() as core:
        await run(core, Stage.INGEST)
        originals = hashes(world.archive)
        assert originals
        assert not media_files(world.target)
    world.stand_in.control("untrust")
    world.stand_in.control("add", count=2, kind="jpeg", real=True)
    world.stand_in.control("reset_counts")
    sent = world.stand_in.counts()["codes_sent"]
    world.events.clear()

    for start in range(3):
        core = core_of(world)
        await core.open()
        try:
            for _ in range(2):
                summary = await run(core)
                assert summary.outcome is RunOutcome.COMPLETED_WITH_PROBLEMS
                assert summary.error == "code_required"
            assert core.board.snapshot.authenticated is False
            assert "code_required" in core.board.snapshot.problems
            if start == 0:
                numbers = await stats(core)
                assert numbers.protected == numbers.items == 10, "sync and verify did their work"
                assert numbers.compressed > 0, "so did compress"
        finally:
            await core.close()
    delivered = hashes(world.target)
    assert {path: delivered.get(path) for path in originals} == originals
    assert [event.type for event in world.events].count("code_required") >= 3
    counts = world.stand_in.counts()
    assert counts["codes_sent"] == sent + 1
    assert counts["signin"] == 1

    core = core_of(world)
    await core.open()
    try:
        world.events.clear()
        with pytest.raises(InvalidCode):
            await core.account.submit_code("000000")
        assert not (await core.board.refresh()).authenticated
        await core.account.submit_code(world.stand_in.code)
        told = [(e.type, e.data) for e in world.events if e.type.startswith("code_")]
        assert ("code_rejected", {"reason": "invalid_code"}) in told
        assert told[-1] == ("code_accepted", {})
        summary = await run(core)
        assert summary.outcome is RunOutcome.COMPLETED, summary
        assert (await stats(core)).archived == 12, "ingest went on where it was"
        assert (await core.board.refresh()).authenticated is True
        assert world.stand_in.counts()["codes_sent"] == sent + 1
        assert await core.catalog.read(store.error_counts) == {}
    finally:
        await core.close()


async def test_refused_password_is_not_sent_by_every_run(world: World) -> None:
    async with world.core() as core:
        await run(core, Stage.INGEST)
    world.stand_in.control("logout_all")
    world.stand_in.control("set_account", password="changed elsewhere")
    for _ in range(3):
        core = core_of(world)
        await core.open()
        try:
            for _ in range(2):
                summary = await run(core)
                assert summary.error == "invalid_credentials"
            assert core.board.snapshot.authenticated is False
        finally:
            await core.close()
    assert world.stand_in.counts()["passwords_refused"] == 1
    assert media_files(world.target), "what is archived was delivered all the same"


async def test_trust_is_renewed_although_nothing_runs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_desk, "_TRUST_LOOK", 0.1)
    monkeypatch.setattr(trust, "_TRY_AGAIN", 0.0)
    world.stand_in.control("set_account", trust_days=4)
    seen: list[int | None] = []
    core = Core(world.config(), lambda shown: seen.append(shown.trust_ends), world.events.append)
    await core.open()
    try:
        await world.sign_in(core)
        world.stand_in.control("set_account", trust_days=80)
        wanted = (time.time() + 79 * 24 * 3600) * 1000
        async with asyncio.timeout(20):
            while not any(ends and ends > wanted for ends in seen):
                await asyncio.sleep(0.05)
    finally:
        await core.close()
    assert world.stand_in.counts()["codes_sent"] == 1
