"""Verify: a copy counts only after its bytes were hashed at the target or read back."""

import asyncio
import logging
from typing import Any

from ..archive import os_error
from ..catalog import copy_results, results, work
from ..checksums import Digest
from ..clock import DAY, now_ms
from ..errors import CopyMismatch, CopyMissing, PipelineError, TargetUnavailableError
from ..model import EngineEvent, Stage
from ..targets.base import ProofRequest, Target
from .base import StageContext

_LOGGER = logging.getLogger(__name__)
_BATCH = 64
_BATCH_BYTES = 1 << 30
_ARCHIVE_BATCH = 16


class Verify:
    """The last stage of a run: new copies first, then those proven longest ago."""

    stage = Stage.VERIFY

    async def run(self, context: StageContext) -> None:
        """All targets and the archive at once."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._verify_archive(context))
            for target_id, config in context.targets.configs.items():
                if not config.hand_off:  # what was handed over is out of our sight
                    group.create_task(self._verify_target(context, target_id))

    async def _verify_target(self, context: StageContext, target_id: str) -> None:
        try:
            target = await context.targets.get(target_id)
            while True:
                await context.control.checkpoint()
                expecting = Stage.SYNC in context.running
                rows = await context.catalog.read(
                    work.to_prove, target_id, proven_before(context), now_ms(), _BATCH
                )
                # small batches cost a round trip each: while sync goes on, let one fill up
                if not rows or (expecting and len(rows) < _BATCH // 4):
                    if not expecting:
                        return
                    await context.control.wait_for_work(1.0)
                    if not rows or Stage.SYNC in context.running:
                        await asyncio.sleep(0.2)
                    if not rows:
                        continue
                await prove_copies(context, target, within(rows))
        except PipelineError as err:
            context.problem(target_id, err)
            if isinstance(err, TargetUnavailableError):
                await context.targets.failed(target_id, err)

    async def _verify_archive(self, context: StageContext) -> None:
        try:
            await asyncio.to_thread(context.archive.check)
            while True:
                await context.control.checkpoint()
                rows = await context.catalog.read(
                    work.archive_to_prove, proven_before(context), _ARCHIVE_BATCH
                )
                if not rows:
                    return
                for row in rows:
                    await prove_archived(context, row)
                    context.progress.done(self.stage, row.size)
        except PipelineError as err:
            context.problem("archive", err)


def within(rows: Any) -> list[Any]:
    """As many rows as fit into one batch of bytes, at least one."""
    chosen: list[Any] = []
    size = 0
    for row in rows:
        if chosen and size + row.size > _BATCH_BYTES:
            break
        chosen.append(row)
        size += row.size
    return chosen


async def prove_copies(context: StageContext, target: Target, rows: list[Any]) -> int:
    """Prove these copies (rows of the queue) and write down the result; returns how many failed."""
    proofs = await target.prove([ProofRequest(row.path, row.size) for row in rows])
    lost = 0
    for row, proof in zip(rows, proofs, strict=True):
        if proof.sha256 is not None and proof.sha256 == row.wanted_sha256:
            await context.catalog.write(
                copy_results.copy_proven, row.id, proof.sha256, proof.method
            )
            context.progress.done(Stage.VERIFY, row.size)
            continue
        error = CopyMissing if proof.sha256 is None else CopyMismatch
        _LOGGER.error("a copy on target %s is not what was sent: %s", row.target_id, error.key)
        await context.catalog.write(copy_results.copy_lost, row.id, error.key)
        context.progress.failed(Stage.VERIFY, row.id)
        context.report(EngineEvent("copy_lost", {"target_id": row.target_id, "reason": error.key}))
        lost += 1
    return lost


async def prove_archived(context: StageContext, row: Any, *, apple: bool = False) -> Digest | None:
    """Read an archived file (a row of resources) again; None when it is damaged (and noted so)."""

    def read() -> Digest | None:
        try:
            return context.archive.read_back(row.path, apple=apple)
        except FileNotFoundError:
            context.archive.check()
            return None

    try:
        digest = await asyncio.to_thread(read)
    except OSError as err:
        raise os_error(err, context.archive.root) from err
    if digest is None or digest.sha256 != row.sha256:
        reason = "file_vanished" if digest is None else "source_file_changed"
        _LOGGER.error("an archived file is damaged or missing: %s", reason)
        await context.catalog.write(results.archive_damaged, row.id, reason)
        context.progress.failed(Stage.VERIFY, -row.id)  # copies and archived files count apart
        return None
    await context.catalog.write(results.archive_proven, row.id)
    return digest


def proven_before(context: StageContext) -> int:
    """Copies proven before this time are proven again."""
    return now_ms() - context.config.reverify_days * DAY


async def waiting(context: StageContext) -> None:
    """Tell the progress what is left."""
    count = size = 0
    for target_id in context.targets.configs:
        if target_id in context.problems:
            continue
        more, more_size = await context.catalog.read(
            work.waiting_proof, target_id, proven_before(context)
        )
        count, size = count + more, size + more_size
    context.progress.waiting(Stage.VERIFY, count, size)
