"""Weeks of an unattended pipeline in minutes: run after run while a share of all answers is wrong.

Between two runs an hour passes: what waits for a next try or for Apple's "slow down" is due then.
A person is there and does what the pipeline asks for, which is counted.
"""

import asyncio
import contextlib
import random
import resource
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from unittest.mock import patch

from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.errors import PipelineError
from custom_components.media_pipeline.engine.model import RunSummary, Stage
from custom_components.media_pipeline.engine.sources import http
from custom_components.media_pipeline.engine.sources.icloud import pacing
from custom_components.media_pipeline.engine.sources.icloud.session import SignInState

from .harness import World, media_files, run
from .truth import archived_files, true_files

HOUR = 3600
# After so many runs it starts anew, as Home Assistant does for an update.
RUNS_PER_START = 3


@dataclass(slots=True)
class Report:
    """What happened."""

    runs: int = 0
    starts: int = 0
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    """``outcome`` or ``outcome: error`` of each run."""
    codes_sent: int = 0
    codes_entered: int = 0
    passwords_entered: int = 0
    answers: dict[str, int] = field(default_factory=dict)
    struck: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    files: int = 0
    bytes: int = 0
    missing: int = 0
    wrong: int = 0
    gone: int = 0
    quarantined: int = 0
    peak_mb: float = 0.0

    @property
    def api_calls(self) -> int:
        """Requests to the photo database."""
        return self.answers.get("database", 0)

    @property
    def retries(self) -> int:
        """Downloads begun beyond one for each file."""
        return self.answers.get("content", 0) - self.files


class Soak:
    """One pipeline that is kept running."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.report = Report()
        self.core: Core | None = None
        self._ahead = 0.0
        self._ever: Counter[str] = Counter()

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """Where Apple doesn't say how long to wait, a second is guessed; hours can be skipped."""
        clock = SimpleNamespace(time=lambda: time.time() + self._ahead, monotonic=time.monotonic)
        with patch.object(http, "DEFAULT_WAIT", 1.0), patch.object(pacing, "time", clock):
            yield

    def an_hour_passes(self) -> None:
        """What was to be tried again later may be tried now; what was put aside stays aside."""
        self._ahead += HOUR
        with closing(sqlite3.connect(self.world.root / "private/catalog.db")) as database:
            database.execute("update resources set next_attempt = 0 where state = 'pending'")
            database.execute("update copies set next_attempt = 0 where state = 'pending'")
            database.commit()

    @asynccontextmanager
    async def started(self) -> AsyncIterator[Core]:
        """A core as after a start of Home Assistant, with a person near."""
        core = Core(self.world.config(), lambda _: None, self.world.events.append)
        self.report.starts += 1
        try:
            await core.open()
            yield core
        finally:
            await core.close()

    async def help(self, core: Core) -> None:
        """Do what only a person can, when it is asked for; faults may hit that too."""
        session = core.session
        assert session is not None
        with contextlib.suppress(PipelineError):
            if session.state is not SignInState.CODE_REQUIRED:
                held = core.board.snapshot.problems
                if "invalid_credentials" in held or "account_locked" in held:
                    self.report.passwords_entered += 1
                    await session.sign_in(asked=True)
            if session.state is SignInState.CODE_REQUIRED:
                self.report.codes_entered += 1
                await session.submit_code(self.world.stand_in.code)

    async def one_run(self, core: Core, *stages: Stage) -> RunSummary:
        """One run, an hour after the last one."""
        self.an_hour_passes()
        await self.help(core)
        while (until := core.account.throttled_until) is not None:  # a person would be refused
            await asyncio.sleep(max(0.1, until - time.time()))
        summary = await run(core, *stages)
        self.report.runs += 1
        self.report.outcomes[
            f"{summary.outcome}: {summary.error}" if summary.error else f"{summary.outcome}"
        ] += 1
        return summary

    async def until_complete(self, most_runs: int, *stages: Stage) -> None:
        """Run after run until nothing is missing, at most ``most_runs``."""
        while self.report.runs < most_runs:
            async with self.started() as core:
                for _ in range(RUNS_PER_START):
                    await self.one_run(core, *stages)
                    self.look()
                    if self.report.missing == 0 or self.report.runs >= most_runs:
                        break
            if self.report.missing == 0:
                return

    async def live_on(self, rounds: int, seed: int, *stages: Stage) -> None:
        """The library changes, and after each change there is a run."""
        dice = random.Random(seed)
        world, first = self.world.stand_in, len(self.world.stand_in.assets())
        for number in range(0, rounds, RUNS_PER_START):
            async with self.started() as core:
                for _ in range(min(RUNS_PER_START, rounds - number)):
                    kind = dice.choice(["jpeg", "live", "video", "edited"])
                    world.control("add", count=dice.randint(1, 3), kind=kind)
                    change = dice.choice(["edit", "hide", "favorite", "delete", "restore"])
                    world.control(change, index=dice.randrange(first))
                    self._ever |= true_files(world)
                    await self.one_run(core, *stages)

    def look(self) -> None:
        """Compare what is archived with what the stand-in holds."""
        world = self.world
        files = media_files(world.archive)
        self.report.files = len(files)
        self.report.bytes = sum(path.stat().st_size for path in files)
        now, archived = true_files(world.stand_in), archived_files(world.archive)
        self._ever |= now  # what is deleted there, or edited anew, stays in the archive
        self.report.missing = (now - archived).total()
        self.report.wrong = (archived - self._ever).total()
        with closing(sqlite3.connect(world.root / "private/catalog.db")) as database:
            (self.report.gone,) = database.execute(
                "select count(*) from assets where state = 'gone'"
            ).fetchone()
            (self.report.quarantined,) = database.execute(
                "select count(*) from resources where state = 'quarantined'"
            ).fetchone()


async def soak_ingest(
    world: World,
    *,
    rate: float,
    seed: int,
    rounds: int = 30,
    most_runs: int = 100,
    without: str = "",
) -> Report:
    """Archive everything although ``rate`` of all answers are wrong; then once without faults.

    After the first ingest come ``rounds`` runs, each after a change of the library.
    """
    soak = Soak(world)
    began = time.monotonic()
    with soak.hurried():
        async with world.core():
            pass  # signed in once, by a person
        world.stand_in.control("reset_counts")
        sent = world.stand_in.counts()["codes_sent"]
        world.stand_in.control("chaos", rate=rate, seed=seed, retry_after=1, without=without)
        await soak.until_complete(most_runs, Stage.INGEST)
        await soak.live_on(rounds, seed, Stage.INGEST)
        await soak.until_complete(most_runs, Stage.INGEST)
        said = world.stand_in.control("chaos", rate=0)
        report = soak.report
        report.answers, report.struck = said["answers"], said["struck"]
        report.codes_sent = world.stand_in.counts()["codes_sent"] - sent
        async with soak.started() as core:
            await soak.one_run(core, Stage.INGEST)
    soak.look()
    report.counts = world.stand_in.counts()
    report.seconds = time.monotonic() - began
    report.peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return report
