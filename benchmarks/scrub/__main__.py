"""A library of 100,000 files proven again at the archive and a target, against sha256sum."""

import argparse
import asyncio
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.ingest.ours import without_home_assistant
from benchmarks.table import number, table

if TYPE_CHECKING:
    from custom_components.media_pipeline.engine.core import Core

type Row = tuple[str, float, float]
"""What, seconds, peak RSS in MB."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench scrub", description=__doc__)
    parser.add_argument("--files", type=int, default=100_000, help="(%(default)s)")
    parser.add_argument("--size", type=int, default=2000, help="bytes of each (%(default)s)")
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"), help="(%(default)s)")
    return parser.parse_args()


def _core(root: Path) -> Core:
    from custom_components.media_pipeline.engine.config import (
        CompressConfig,
        EngineConfig,
        FolderSourceConfig,
        FolderTargetConfig,
    )
    from custom_components.media_pipeline.engine.core import Core
    from custom_components.media_pipeline.engine.marker import claim_folder

    identity = claim_folder(root / "archive")
    config = EngineConfig(
        private_dir=root / "private",
        archive=root / "archive",
        archive_id=identity.marker_id,
        archive_device=identity.device_id,
        source=FolderSourceConfig(root / "source"),
        targets=(
            FolderTargetConfig(
                target_id="disk", name="Disk", path=root / "target", reserve_bytes=0
            ),
        ),
        compress=CompressConfig(photos=False, videos=False, gentle=False),
        archive_reserve_bytes=0,
    )
    return Core(config, lambda _: None, lambda _: None)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _timed(name: str, work: Callable[[], Awaitable[Any]]) -> Row:
    began = time.monotonic()
    await work()
    return name, time.monotonic() - began, _peak()


async def _verify(core: Core, *, everything: bool) -> None:
    from custom_components.media_pipeline.engine.model import RunOutcome, Stage

    run_id = await core.runs.start((Stage.VERIFY,), "bench", prove_all=everything)
    summary = await core.runs.wait(run_id)
    if summary.outcome is not RunOutcome.COMPLETED:
        raise SystemExit(f"the run ended: {summary}")


async def _ours(root: Path, files: list[dict[str, Any]], size: int) -> list[Row]:
    from benchmarks.scrub import library
    from custom_components.media_pipeline.engine.catalog import scrub
    from custom_components.media_pipeline.engine.catalog.scrub import Due
    from custom_components.media_pipeline.engine.clock import DAY, now_ms
    from custom_components.media_pipeline.engine.stages import glance, manifests

    core = _core(root)
    await core.open()
    try:
        await core.catalog.write(library.fill, files, size)
        target = await core.targets.get(library.TARGET)
        context = core.context()
        read = core.catalog.read
        now = now_ms()
        none, every = Due.within(90 * DAY, now), Due(now + DAY)
        some = Due.within(90 * DAY, now + 60 * DAY)
        ask = scrub.to_prove
        return [
            ("start", 0.0, _peak()),
            await _timed("which copies are due: none", lambda: read(ask, "disk", none, now, 1024)),
            await _timed(
                "which copies are due: a part", lambda: read(ask, "disk", some, now, 1024)
            ),
            await _timed("which copies are due: all", lambda: read(ask, "disk", every, now, 1024)),
            await _timed("how many copies wait", lambda: read(scrub.waiting_proof, "disk", some)),
            await _timed("how many files wait", lambda: read(scrub.archive_waiting, some)),
            await _timed("all numbers that are shown", core.board.refresh),
            await _timed(
                "daily listing of the target",
                lambda: glance.glance_at_target(context, "disk", target),
            ),
            await _timed("daily listing of the archive", lambda: glance.glance_at_archive(context)),
            await _timed(
                "480 lists of checksums at the target",
                lambda: manifests.write_at_target(context, "disk", target),
            ),
            await _timed(
                "480 lists of checksums in the archive",
                lambda: manifests.write_in_archive(context),
            ),
            await _timed("a run with nothing due", lambda: _verify(core, everything=False)),
            await _timed(
                "a run that proves everything, both places", lambda: _verify(core, everything=True)
            ),
        ]
    finally:
        await core.close()


def _peer(root: Path) -> float:
    """``sha256sum -c`` over our own lists, one call for each folder, both places at once."""
    began = time.monotonic()
    command = "find . -name SHA256SUMS -execdir sha256sum --quiet --strict -c {} ';'"
    checks = [
        subprocess.Popen(["sh", "-c", command], cwd=root / place) for place in ("archive", "target")
    ]
    codes = [check.wait() for check in checks]
    if any(codes):
        raise SystemExit("sha256sum found something")
    return time.monotonic() - began


def main() -> int:
    """Prints the table."""
    arguments = _arguments()
    without_home_assistant()
    from benchmarks.scrub import library

    folder = arguments.folder if arguments.folder.is_dir() else None
    root = Path(tempfile.mkdtemp(prefix="bench-scrub-", dir=folder))
    try:
        for name in ("archive", "target", "source", "private"):
            (root / name).mkdir(mode=0o700)
        files = library.make(root / "archive", root / "target", arguments.files, arguments.size)
        rows = asyncio.run(_ours(root, files, arguments.size))
        peer = _peer(root)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    ours = rows[-1][1]
    shown = [[name, number(seconds), number(peak)] for name, seconds, peak in rows]
    shown.append(["sha256sum -c over the same lists", number(peer), ""])
    shown.append(["sha256sum / ours", number(peer / ours), ""])
    sys.stdout.write(table(["", "wall, s", "peak RSS, MB"], shown) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
