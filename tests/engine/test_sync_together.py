"""A whole run with an SSH server as a target: its small files go together, and all are proven."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from custom_components.media_pipeline.engine.model import RunOutcome
from custom_components.media_pipeline.engine.targets.sftp import SftpTarget
from tests.support.sshd import RealSshd, find_sshd

from .harness import World, make_world, run


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch, assets=24) as made:
        yield made


async def test_small_files_go_together(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if find_sshd() is None:
        pytest.skip("sshd is not installed: scripts/setup --all")
    sizes: list[int] = []
    really = SftpTarget.deliver_many

    async def counted(self: SftpTarget, items: Any, **more: Any) -> Any:
        sizes.append(len(items))
        return await really(self, items, **more)

    monkeypatch.setattr(SftpTarget, "deliver_many", counted)
    (tmp_path / "served").mkdir()
    server = await RealSshd(tmp_path / "served").start()
    world.others = (server.access.target_config("copies", target_id="nas"),)
    try:
        async with world.core() as core:
            summary = await run(core)
            targets = (await core.board.refresh()).targets
    finally:
        await server.close()

    assert summary.outcome is RunOutcome.COMPLETED
    assert sum(sizes) >= 24
    assert targets["nas"].copies == targets["nas"].verified == targets["disk"].verified
    served = tmp_path / "served" / "copies"
    for copy in (path for path in served.rglob("*") if path.suffix in {".JPG", ".HEIC"}):
        original = world.archive / copy.relative_to(served)
        assert copy.read_bytes() == original.read_bytes()
    assert list(served.rglob("*.mp-part")) == []
