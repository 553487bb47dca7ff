"""The way in: one look at a tree at a time, never beside a run."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from ..config import FolderTargetConfig
from ..errors import AdoptNotSupported
from ..model import RunOutcome
from .report import Report, Request
from .runner import Adopt
from .tree import check_root

if TYPE_CHECKING:
    from ..core import Core


async def adopt(core: Core, request: Request, actor: str | None) -> Report:
    """See ``engine.Engine.adopt``. Only iCloud says checksums, so only its files can be known."""
    if core.source.kind != "icloud":
        raise AdoptNotSupported
    identity = core.archive.identity
    root = await asyncio.to_thread(
        check_root,
        request.root,
        archive_id=identity.marker_id if identity else None,
        apart_from=(
            core.config.private_dir,
            *(c.path for c in core.config.targets if isinstance(c, FolderTargetConfig)),
        ),
    )
    runner = Adopt(replace(request, root=root), actor)
    run = core.runs.new((), actor, runner)
    # a caller that stops waiting must not cut it off
    summary = await asyncio.shield(core.runs.launch(run))
    error = run.context.problems.get("run") or runner.error
    if error is not None:
        raise error
    if summary.outcome in {RunOutcome.CANCELLED, RunOutcome.INTERRUPTED}:
        runner.report.note("cancelled")
    return runner.report
