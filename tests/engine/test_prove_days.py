"""Each target's own period of proving, over simulated days, with real files and servers."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.clock import DAY, now_ms
from custom_components.media_pipeline.engine.config import FolderTargetConfig
from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.model import RunOutcome
from custom_components.media_pipeline.engine.rules import TargetRules

from .harness import World, run
from .years import NAS, ask, change, small_world, verify, with_nas

OFTEN = 4
SELDOM = 20
ARCHIVE = 9


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with small_world(tmp_path, monkeypatch) as made:
        made.rules = TargetRules(reverify_days=OFTEN)
        yield made


async def _days_pass(core: Core, days: float) -> None:
    """As if everything had been proven, and looked at, so much earlier."""
    age = int(days * DAY)
    await change(core, "update copies set proven_at = proven_at - :age", age=age)
    await change(core, "update resources set proven_at = proven_at - :age", age=age)
    await change(core, "delete from settings where key like 'glance/%'")


async def _proven_since(core: Core, began: int) -> dict[str, int]:
    """Place → files proven since then."""
    rows = await ask(
        core,
        "select target_id, sum(proven_at >= :began) from copies group by 1"
        " union all select 'archive', sum(proven_at >= :began) from resources",
        began=began,
    )
    return {row[0]: row[1] for row in rows}


async def _oldest(core: Core) -> dict[str, float]:
    """Place → days since the oldest proof there."""
    rows = await ask(
        core,
        "select target_id, min(proven_at) from copies group by 1"
        " union all select 'archive', min(proven_at) from resources",
    )
    return {row[0]: (now_ms() - row[1]) / DAY for row in rows}


async def test_a_run_proves_only_what_is_due_at_each_target(world: World) -> None:
    async with with_nas(world, rules=TargetRules(reverify_days=SELDOM)), world.core() as core:
        await run(core)
        files = 3 * 8
        assert await _proven_since(core, 0) == {"disk": files, NAS: files, "archive": files}

        await _days_pass(core, OFTEN / 2 - 0.1)
        began = now_ms()
        await verify(core, everything=False)
        assert await _proven_since(core, began) == {"disk": 0, NAS: 0, "archive": 0}, "too early"

        await _days_pass(core, OFTEN / 2 + 0.1)
        began = now_ms()
        await verify(core, everything=False)
        assert await _proven_since(core, began) == {"disk": files, NAS: 0, "archive": 0}

        await _days_pass(core, SELDOM)
        core.config = replace(core.config, reverify_days=1000)
        began = now_ms()
        await verify(core, everything=False)
        found = await _proven_since(core, began)
        assert found == {"disk": files, NAS: files, "archive": 0}, "the archive goes by the option"


async def test_every_place_keeps_its_promise_day_by_day(world: World) -> None:
    """Nothing ever gets older than its period, and nothing is proven much more often than that."""
    places = ("disk", "attic", "archive")
    proofs = dict.fromkeys(places, 0)
    world.others = (
        FolderTargetConfig(
            target_id="attic",
            name="Attic",
            path=world.root / "attic",
            reserve_bytes=0,
            rules=TargetRules(reverify_days=SELDOM),
        ),
    )
    (world.root / "attic").mkdir()
    async with world.core() as core:
        core.config = replace(core.config, reverify_days=ARCHIVE)
        await run(core)
        periods = dict(zip(places, (OFTEN, SELDOM, ARCHIVE), strict=True))
        for day in range(1, SELDOM + 3):
            await _days_pass(core, 1)
            oldest = await _oldest(core)
            assert all(oldest[place] < days for place, days in periods.items()), (day, oldest)
            if day % 5 == 2:
                continue  # a night is missed
            began = now_ms()
            summary = await verify(core, everything=False)
            assert summary.outcome is RunOutcome.COMPLETED, (day, summary)
            for place, count in (await _proven_since(core, began)).items():
                proofs[place] += count
    for place, days in periods.items():
        rounds = proofs[place] / (3 * 8)
        assert (SELDOM + 2) / days - 1 <= rounds <= 2 * (SELDOM + 2) / days + 1, (place, rounds)
