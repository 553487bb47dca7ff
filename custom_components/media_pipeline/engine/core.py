"""What the engine's door leads to: one source, its archive, its targets; on the engine's loop.

Everything here runs on one event loop, so plain attributes need no locks.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from .account_desk import AccountDesk
from .archive import Archive
from .catalog import (
    brakes,
    browse,
    census,
    copy_results,
    measures,
    plans,
    quarantine,
    results,
    store,
)
from .catalog.database import Catalog
from .catalog.photo_formats import register_formats
from .catalog.protection import Ground
from .config import EngineConfig
from .control import Control, Progress
from .errors import FileVanished, NotSupportedBySource
from .home import Home
from .marker import FolderIdentity
from .media.jobs import MediaKind
from .media.pace import Pace
from .media.pool import MediaPool
from .model import EngineEvent, KindEstimate, LibraryCensus, PutAside, Snapshot
from .plan_desk import PlanDesk
from .previews import Previews
from .run_desk import RunDesk
from .sources.icloud.session import ICloudSession
from .sources.registry import make_source
from .stages.base import StageContext
from .stages.brake import accept
from .stages.reconcile import Reconcile
from .status_board import StatusBoard
from .target_hub import TargetHub


class Core:
    """See ``engine.Engine`` for what each call means."""

    def __init__(
        self,
        config: EngineConfig,
        on_snapshot: Callable[[Snapshot], None],
        on_event: Callable[[EngineEvent], None],
        home: Home | None = None,
    ) -> None:
        """Built on the engine's loop; nothing is opened yet."""
        self.config = config
        self.show = on_snapshot
        self.report = on_event
        known = (
            FolderIdentity(config.archive_id, config.archive_device or "")
            if config.archive_id
            else None
        )
        self.catalog = Catalog(config.private_dir / "catalog.db")
        self.archive = Archive(config.archive, known, config.archive_reserve_bytes)
        self.source = make_source(config.source, config.private_dir / "session")
        self.targets = TargetHub(config.targets, self.catalog, config.archive_id, home=home)
        self.media = MediaPool(pace=Pace.gentle() if config.compress.gentle else None)
        self._previews = Previews(self.archive, self.media, config.preview_bytes)
        self._background: set[asyncio.Task[Any]] = set()
        self.board = StatusBoard(self)
        self.account = AccountDesk(self)
        self.runs = RunDesk(self)
        self.plans = PlanDesk(self)

    async def open(self) -> None:
        """Open the catalog and check the archive; then look at the source in the background."""
        await self.catalog.open()
        await self.archive.open()
        config = self.config
        await self.catalog.write(copy_results.register_targets, config.targets)
        self.targets.brakes = await self.catalog.read(brakes.standing)
        await self.catalog.write(store.recover_runs)
        await self.catalog.write(plans.recover_plans)
        await self.catalog.write(
            results.switch_compress,
            photos=config.compress.photos,
            videos=config.compress.videos,
        )
        await self.catalog.write(register_formats, config)
        await self.board.refresh()
        self.account.start()

    async def close(self) -> None:
        """Interrupt a run and let go of everything."""
        await self.runs.interrupt()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._previews.close()
        await self.media.close()
        await self.targets.close()
        await self.source.close()
        await self.catalog.close()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Let work go on in the background until it ends or the core is closed."""
        self.keep(asyncio.create_task(work))

    def keep[T](self, task: asyncio.Task[T]) -> asyncio.Task[T]:
        """Let a task live until it ends or the core is closed, whoever waits for it."""
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    @property
    def session(self) -> ICloudSession | None:
        """The account's session; None for a folder."""
        return getattr(self.source, "session", None)

    def context(self) -> StageContext:
        """What a new run works with."""
        return StageContext(
            config=self.config,
            catalog=self.catalog,
            archive=self.archive,
            source=self.source,
            targets=self.targets,
            media=self.media,
            control=Control(),
            progress=Progress(),
            report=self.report,
        )

    async def quarantine(self, limit: int) -> list[PutAside]:
        """Files that were put aside, and why."""
        return await self.catalog.read(quarantine.put_aside, limit)

    async def retry_quarantined(self, actor: str | None) -> int:
        """Let the next run try what was put aside."""
        count = await self.catalog.write(quarantine.retry, actor)
        await self.board.refresh()
        return count

    async def go_on(self, place: str, actor: str | None) -> bool:
        """Have what is lost at a place that reads wrong be mended; False when nothing is held."""
        done = await accept(self.catalog, self.targets, place, actor)
        await self.board.refresh()
        return done

    def ground(self) -> Ground:
        """What protection is judged by."""
        return Ground(
            safety=self.config.safety,
            archive_domain=self.archive.domain,
            archive_off_machine=self.config.archive_off_machine,
            can_free=self.source.can_free,
        )

    async def reconcile(self, actor: str | None) -> tuple[dict[str, LibraryCensus], int]:
        """A full look at the source; each library's numbers, and how many assets it found."""
        self.runs.refuse_held_back()
        if not self.source.can_free:
            raise NotSupportedBySource
        look = Reconcile(actor)
        run = self.runs.new((), actor, look)
        await asyncio.shield(self.runs.launch(run))
        if (error := run.context.problems.get("run")) is not None:
            raise error
        return await self.catalog.read(census.last), look.found

    async def estimate(self) -> dict[MediaKind, KindEstimate]:
        """What compressing will take, for the kinds that are switched on."""
        found = await self.catalog.read(measures.estimate)
        wanted = {"photo": self.config.compress.photos, "video": self.config.compress.videos}
        workers = self.media.pace.workers
        return {
            kind: replace(one, seconds=one.seconds / workers)
            for kind, one in found.items()
            if wanted[kind]
        }

    async def preview(self, asset_id: int, side: int) -> Path:
        """A small JPEG of an archived asset."""
        shown = await self.catalog.read(browse.one, asset_id)
        if shown is None:
            raise FileVanished(f"no asset {asset_id} to look at")
        source = self.archive.path_of(shown.path)
        return await self._previews.get(source, shown.sha256, side)
