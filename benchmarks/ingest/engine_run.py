"""Our side: the engine without Home Assistant, stage ingest only. Started by `ours.py`.

It has no targets and compresses nothing, since its peer does neither. All else is as in Home
Assistant: the engine's own thread, checksums, container checks, fsync, catalog, record files.
"""

import argparse
import contextlib
import os
import sys
from pathlib import Path

from custom_components.media_pipeline.engine.config import (
    CompressConfig,
    EngineConfig,
    FolderSourceConfig,
    ICloudSourceConfig,
    SourceConfig,
)
from custom_components.media_pipeline.engine.engine import Engine
from custom_components.media_pipeline.engine.errors import CodeRequired
from custom_components.media_pipeline.engine.model import RunOutcome, Stage


def account() -> ICloudSourceConfig:
    """The stand-in's account."""
    return ICloudSourceConfig(os.environ["BENCH_APPLE_ID"], os.environ["BENCH_PASSWORD"])


def engine_config(private: Path, archive: Path, source: SourceConfig) -> EngineConfig:
    """No targets, nothing to compress."""
    return EngineConfig(
        private_dir=private,
        archive=archive,
        archive_id=None,
        archive_device=None,
        source=source,
        compress=CompressConfig(photos=False, videos=False),
        archive_reserve_bytes=0,
    )


def _engine(private: Path, archive: Path, *, start_only: bool) -> Engine:
    # a folder is looked at in the background; an account would be asked
    source: SourceConfig = FolderSourceConfig(private) if start_only else account()
    config = engine_config(private, archive, source)
    return Engine(config, on_snapshot=lambda _: None, on_event=lambda _: None)


async def _sign_in(engine: Engine, code: str) -> None:
    session = engine.icloud_session
    assert session is not None
    with contextlib.suppress(CodeRequired):
        await session.sign_in()
    await session.submit_code(code)


async def _ingest(engine: Engine) -> None:
    summary = await engine.wait_run(await engine.start_run((Stage.INGEST,)))
    if summary.outcome is not RunOutcome.COMPLETED or any(
        count for key, count in summary.counts.items() if key.endswith("_failed")
    ):
        sys.exit(f"{summary}")


async def main() -> None:
    """As the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("private", type=Path)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--start-only", action="store_true", help="ask no network")
    parser.add_argument("--code", help="sign in with this code and download nothing")
    arguments = parser.parse_args()
    arguments.private.mkdir(mode=0o700, exist_ok=True)
    engine = _engine(arguments.private, arguments.archive, start_only=arguments.start_only)
    await engine.start()
    try:
        if arguments.code:
            await _sign_in(engine, arguments.code)
        elif not arguments.start_only:
            await _ingest(engine)
    finally:
        await engine.stop()
