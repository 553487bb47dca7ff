"""Whatever breaks, nothing is deleted at the source without the proven copies that were asked for.

Hypothesis chooses what goes wrong (rotten and vanished files, vanished mounts, edits and deletes in
iCloud, lying and failing servers) and when. After each try the stand-in is asked what is deleted,
and every byte of it must lie in the archive and on the target.
"""

import asyncio
import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.errors import PipelineError
from custom_components.media_pipeline.engine.marker import MARKER_NAME
from custom_components.media_pipeline.engine.model import RunOutcome, Stage

from .harness import World, make_world, run, stats

ASSETS = 8
STAGES = (Stage.INGEST, Stage.SYNC, Stage.VERIFY)


@dataclass(frozen=True)
class Trouble:
    """One thing that goes wrong, and after which step."""

    step: str
    what: str
    asset: int


LOCAL = ("flip_archive", "lose_archive", "flip_copy", "lose_copy", "no_archive", "no_target")
REMOTE = ("favorite", "edit", "delete", "hide")
SERVER = (
    "lookup_503",
    "lookup_omit",
    "lookup_error",
    "lookup_drop",
    "modify_500",
    "modify_drop",
    "modify_conflict",
    "modify_lie",
    "modify_omit",
    "modify_mute",
    "modify_throttled",
)
troubles = st.lists(
    st.builds(
        Trouble,
        st.sampled_from(["planned", "approved"]),
        st.sampled_from(LOCAL + REMOTE + SERVER),
        st.integers(0, ASSETS - 1),
    ),
    min_size=1,
    max_size=3,
)
_FAULTS: dict[str, dict[str, Any]] = {
    "lookup_503": {"operation": "lookup", "status": 503, "times": 1},
    "lookup_omit": {"operation": "lookup", "omit": True, "times": 1},
    "lookup_error": {"operation": "lookup", "record_error": "NOT_FOUND", "times": 2},
    "lookup_drop": {"operation": "lookup", "drop": True, "skip": 1, "times": 3},
    "modify_500": {"operation": "modify", "status": 500, "times": 1},
    "modify_drop": {"operation": "modify", "drop": True, "times": 1},
    "modify_conflict": {"operation": "modify", "record_error": "CONFLICT", "times": 1},
    "modify_lie": {"operation": "modify", "lie": True, "times": 1},
    "modify_omit": {"operation": "modify", "omit": True, "times": 1},
    "modify_mute": {"operation": "modify", "mute": True, "times": 1},
    "modify_throttled": {
        "operation": "modify",
        "record_error": "THROTTLED",
        "retry_after": 1,
        "times": 1,
    },
}


class Campaign:
    """One library that is damaged and healed again and again."""

    def __init__(self, world: World, core: Core) -> None:
        self.world = world
        self.core = core
        self.ours_before: set[str] = set()

    def files_of(self, record_name: str) -> list[tuple[str | None, str | None, str]]:
        """(archive path, target path, SHA-256) of an asset's current originals."""
        with closing(sqlite3.connect(self.world.root / "private/catalog.db")) as database:
            return database.execute(
                "select r.path, c.path, r.sha256 from resources r"
                " join assets a on a.id = r.asset_id left join copies c on c.resource_id = r.id"
                " where a.key like ? and r.current and r.role not in"
                " ('record', 'xmp', 'compressed')",
                (f"%{record_name}",),
            ).fetchall()

    def cause(self, trouble: Trouble) -> None:
        """Let it happen."""
        world = self.world
        name = world.stand_in.assets()[trouble.asset]["recordName"]
        files = self.files_of(name)
        archived, copied = files[0][:2] if files else (None, None)
        if trouble.what in _FAULTS:
            world.stand_in.control("fault", **_FAULTS[trouble.what])
        elif trouble.what in REMOTE:
            world.stand_in.control(trouble.what, index=trouble.asset)
        elif trouble.what == "no_archive":
            (world.archive / MARKER_NAME).unlink(missing_ok=True)
        elif trouble.what == "no_target":
            (world.target / MARKER_NAME).unlink(missing_ok=True)
        else:
            folder, path = (
                (world.archive, archived) if "archive" in trouble.what else (world.target, copied)
            )
            if path is None or not (where := folder / path).exists():
                return  # damaged before, by this same attempt
            if trouble.what.startswith("flip"):
                data = bytearray(where.read_bytes())
                data[len(data) // 2] ^= 0xFF
                where.write_bytes(data)
            else:
                where.unlink()

    async def attempt(self, problems: list[Trouble]) -> int:
        """Plan, approve and execute while things go wrong; returns how many were freed."""
        markers = {
            folder: (folder / MARKER_NAME).read_bytes()
            for folder in (self.world.archive, self.world.target)
        }
        others: set[str] = set()
        try:
            plan, _ = await self.core.plans.plan(None, "test")
            assert plan.assets > 0, "nothing to free: the library did not heal"
            before = self.world.trashed()
            for step in ("planned", "approved"):
                for trouble in problems:
                    if trouble.step == step:
                        self.cause(trouble)
                if step == "planned":
                    plan = await self.core.plans.approve(plan.plan_id, "test")
            others = self.world.trashed() - before
            await self.core.plans.execute(plan.plan_id, False, "test")
        except PipelineError:
            pass  # stopping is a right answer; what was deleted is looked at below
        freed = self.world.trashed() - others
        self.check(freed, {t.asset for t in problems if t.what in {"edit", "favorite", "hide"}})
        shown = (await self.core.board.refresh()).plan
        assert shown is not None
        assert shown.freed_assets == len(freed)
        for folder, content in markers.items():
            (folder / MARKER_NAME).write_bytes(content)
        return len(freed)

    def check(self, freed: set[str], changed: set[int]) -> None:
        """Every byte of what is deleted lies in both places; what changed was not deleted."""
        by_name = {a["recordName"]: a for a in self.world.stand_in.assets()}
        for name in freed:
            assert by_name[name]["index"] not in changed, "deleted although it changed in iCloud"
            files = self.files_of(name)
            assert len(files) == len(by_name[name]["roles"])
            for archived, copied, sha256 in files:
                assert archived is not None
                assert copied is not None
                for place in (self.world.archive / archived, self.world.target / copied):
                    assert _sha256(place) == sha256, f"deleted although {place} is not whole"

    async def heal(self) -> None:
        """Undelete, mend what can be mended; the library must be protected again."""
        stand_in = self.world.stand_in
        stand_in.control("clear_faults")
        for asset in stand_in.assets():
            if asset["deleted"]:
                stand_in.control("restore", index=asset["index"])
            if asset["favorite"]:
                stand_in.control("favorite", index=asset["index"], on=False)
            if asset["hidden"]:
                stand_in.control("hide", index=asset["index"], on=False)
        # first everything is proven anew, so that the damage is found, then mended
        with closing(sqlite3.connect(self.world.root / "private/catalog.db")) as database:
            database.execute("update resources set proven_at = 1 where state = 'archived'")
            database.execute("update copies set proven_at = 1, next_attempt = 0")
            database.commit()
        await run(self.core, *STAGES)
        summary = await run(self.core, *STAGES)
        assert summary.outcome is RunOutcome.COMPLETED, summary
        numbers = await stats(self.core)
        assert numbers.protected == numbers.items == ASSETS, numbers


def _sha256(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


@pytest.fixture
def campaign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Campaign, Callable[[Any], Any]]]:
    with make_world(tmp_path, monkeypatch, assets=ASSETS) as world, asyncio.Runner() as runner:
        world.with_safety(
            max_proof_age_days=0, canary=2, protect_favorites=True, protect_hidden=True
        )
        core = Core(world.config(), lambda _: None, world.events.append)

        async def start() -> None:
            await core.open()
            await world.sign_in(core)
            await run(core, *STAGES)

        runner.run(start())
        try:
            made = Campaign(world, core)
            runner.run(made.heal())
            yield made, runner.run
        finally:
            runner.run(core.close())


@pytest.mark.timeout(240)
def test_nothing_is_deleted_without_proven_copies(
    campaign: tuple[Campaign, Callable[[Any], Any]],
) -> None:
    made, wait = campaign
    freed: list[int] = []

    @settings(
        max_examples=12,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(troubles)
    def try_it(problems: list[Trouble]) -> None:
        freed.append(wait(made.attempt(problems)))
        wait(made.heal())

    try_it()
    assert len(freed) >= 10
    # a test in which nothing is ever deleted would prove nothing
    assert wait(made.attempt([])) == ASSETS
    assert any(freed)
