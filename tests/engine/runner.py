"""Runs an engine core as a program of its own, so that tests can kill it: CONFIG STAGES."""

import asyncio
import pickle
import sys
from pathlib import Path

from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.model import Stage


async def main(config_file: Path, stages: tuple[Stage, ...]) -> None:
    core = Core(pickle.loads(config_file.read_bytes()), lambda _: None, lambda _: None)  # noqa: S301
    await core.open()
    print("open", flush=True)
    summary = await core.wait_run(await core.start_run(stages, "runner"))
    print(summary.outcome, flush=True)
    await core.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), tuple(Stage(name) for name in sys.argv[2].split(","))))
