"""A restore drill: a few files, chosen at random, really fetched back from every target.

A proof says that the bytes are there; a drill says that they come home.
"""

import asyncio
import logging
import shutil
from pathlib import Path
from time import monotonic
from typing import Any, Final

from ..archive import os_error
from ..catalog import drills
from ..config import TargetConfig
from ..errors import (
    CorruptError,
    FileVanished,
    LocalWriteFailed,
    PipelineError,
    TargetUnavailableError,
    TransientError,
)
from ..model import DrillResult, EngineEvent, Stage
from ..targets.base import Target
from .base import StageContext
from .bringing import ArchiveTrouble, bring, make_room
from .proving import prove_copies, tell_rest

_LOGGER = logging.getLogger(__name__)
_FOLDER: Final = ".media_pipeline/drill"


class Drill:
    """Fetches back, compares and removes; what fails is proven again at once."""

    stage = Stage.VERIFY

    def __init__(self, files: int, seconds: float, actor: str | None) -> None:
        """``files`` from each target; no file is begun after ``seconds``."""
        self._files = files
        self._seconds = seconds
        self._actor = actor
        self.results: dict[str, DrillResult] = {}

    async def run(self, context: StageContext) -> None:
        """One target after the other. Raises TargetUnavailableError kinds for the archive."""
        folder = context.archive.path_of(_FOLDER)
        until = monotonic() + self._seconds
        await asyncio.to_thread(_make_empty, context, folder)
        try:
            for config in context.targets.configs.values():
                if config.hand_off or not context.targets.may_use(config.target_id):
                    continue
                result = await self._at(context, config, folder, until)
                self.results[config.target_id] = result
                if not result.files and result.error is None:
                    continue  # nothing is proven there yet, or the time was used up
                await context.catalog.write(drills.drill_done, result, self._actor)
                context.report(
                    EngineEvent(
                        "drill_passed" if result.score == 100 else "drill_failed",
                        {
                            "target_id": config.target_id,
                            "files": result.files,
                            "passed": result.passed,
                            "reason": result.error,
                        },
                    )
                )
        except ArchiveTrouble as err:
            raise err.cause from err
        finally:
            tell_rest(context)
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _at(
        self, context: StageContext, config: TargetConfig, folder: Path, until: float
    ) -> DrillResult:
        files = passed = size = 0
        error: str | None = None
        try:
            target = await context.targets.get(config.target_id)
            for copy in await context.catalog.read(drills.to_drill, config.target_id, self._files):
                await context.control.checkpoint()
                if monotonic() > until:
                    break
                files += 1
                reason = await self._one(context, target, copy, folder / "file")
                passed += reason is None
                size += copy.size
                error = error or reason
        except TargetUnavailableError as err:
            context.problem(config.target_id, err)
            await context.targets.failed(config.target_id, err)
            error = error or err.key
        return DrillResult(config.target_id, files, passed, size, error)

    @staticmethod
    async def _one(context: StageContext, target: Target, copy: Any, into: Path) -> str | None:
        """Why a file did not come back as it was sent; None when it did."""
        try:
            await make_room(context.archive, copy.size)
            await bring(target, copy, into, copy.filename, context.progress.moved)
        except LocalWriteFailed as err:
            raise ArchiveTrouble(err) from err
        except (CorruptError, FileVanished, TransientError) as err:
            _LOGGER.warning("a drill failed: %s (%s)", err.key, err.detail)
            await prove_copies(context, target, [copy])
            return err.key
        finally:
            await asyncio.to_thread(into.unlink, missing_ok=True)
        context.progress.done(Stage.VERIFY, copy.size)
        return None


def _make_empty(context: StageContext, folder: Path) -> None:
    try:
        context.archive.check()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
    except PipelineError:
        raise
    except OSError as err:
        raise os_error(err, context.archive.root) from err
