"""Runs an engine core as a program of its own, so that tests can kill it: CONFIG WHAT."""

import asyncio
import pickle
import sys
from pathlib import Path

from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.model import Stage


async def main(config_file: Path, what: str) -> None:
    core = Core(pickle.loads(config_file.read_bytes()), lambda _: None, lambda _: None)  # noqa: S301
    await core.open()
    print("open", flush=True)
    if what.startswith("plan:"):
        plan, _ = await core.plans.execute(what.removeprefix("plan:"), False, "runner")
        print(plan.state, flush=True)
    else:
        stages = tuple(Stage(name) for name in what.split(","))
        summary = await core.runs.wait(await core.runs.start(stages, "runner"))
        print(summary.outcome, flush=True)
    await core.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
