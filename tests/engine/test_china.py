"""An account in mainland China: other hosts and cookies, from the code to a proven copy."""

from dataclasses import replace
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.config import ICloudSourceConfig
from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.model import RunOutcome

from .harness import hashes, make_world, run, stats


async def test_from_the_code_to_a_proven_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with make_world(tmp_path, monkeypatch, assets=6) as world:
        world.stand_in.control("set_account", china=True)
        config = world.config()
        assert isinstance(config.source, ICloudSourceConfig)
        config = replace(config, source=replace(config.source, china=True))
        for start in range(2):
            core = Core(config, lambda _: None, world.events.append)
            await core.open()
            try:
                if start == 0:
                    await world.sign_in(core)
                summary = await run(core)
                assert summary.outcome is RunOutcome.COMPLETED, summary
                assert (await stats(core)).protected == 6
                assert (await core.board.refresh()).usage is not None
            finally:
                await core.close()
        assert hashes(world.archive) == hashes(world.target)
        assert world.stand_in.counts()["codes_sent"] == 1
