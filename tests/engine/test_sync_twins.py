"""Photos that move between libraries: an SSH server copies what it holds, nothing is sent again."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.model import RunOutcome, Stage
from custom_components.media_pipeline.engine.stages import sync
from custom_components.media_pipeline.engine.targets import sftp_channels, sftp_parts, together
from custom_components.media_pipeline.engine.targets.base import Delivery
from custom_components.media_pipeline.engine.targets.sftp import SftpTarget
from tests.support.sshd import RealSshd, find_sshd

from .harness import World, hashes, make_world, run


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch, assets=4, shared_library=1) as made:
        yield made


@dataclass
class Served:
    """The server's folder, and what was copied there."""

    root: Path
    deliveries: list[Delivery] = field(default_factory=list)
    sent: int = 0
    """Bytes of those deliveries that went over the line."""


@pytest.fixture
async def served(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Served]:
    if find_sshd() is None:
        pytest.skip("sshd is not installed: scripts/setup --all")
    (tmp_path / "served").mkdir()
    server = await RealSshd(tmp_path / "served").start()
    world.others = (server.access.target_config("copies", target_id="nas"),)
    world.libraries = ("PrimarySync", str(world.stand_in.state()["zones"][1]))
    made = Served(tmp_path / "served" / "copies")
    really = SftpTarget.deliver_twin

    async def watched(self: SftpTarget, item: Any, twin: str, **_: Any) -> Delivery:
        def count(size: int) -> None:
            made.sent += size

        made.deliveries.append(await really(self, item, twin, on_bytes=count))
        return made.deliveries[-1]

    monkeypatch.setattr(SftpTarget, "deliver_twin", watched)
    monkeypatch.setattr(sync, "WORTH_COPYING", 1)
    yield made
    await server.close()


async def all_is_well(world: World, core: Core, served: Served) -> bool:
    """Every archived file has a proven copy at the server, with its very bytes."""
    there, here = hashes(served.root), hashes(world.archive)
    nas = (await core.board.refresh()).targets["nas"]
    return set(there.values()) == set(here.values()) and nas.verified == nas.copies > 0


async def test_a_moved_photo_is_copied_there(world: World, served: Served) -> None:
    async with world.core() as core:
        await run(core)
        before = hashes(served.root)
        assert served.deliveries == [], "all were new"
        world.stand_in.control("move", index=[0, 3], to=world.libraries[1])

        summary = await run(core)

        assert summary.outcome is RunOutcome.COMPLETED, summary
        assert await all_is_well(world, core, served)
    after = hashes(served.root)
    new = {path: sha256 for path, sha256 in after.items() if path not in before}
    assert set(new) == {delivery.path for delivery in served.deliveries} != set()
    assert new == {path: sha256 for path, sha256 in hashes(world.archive).items() if path in new}
    assert served.sent == 0


async def test_hashed_before_it_got_its_name_is_verified(
    world: World, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the server hashed needs no second look; verify is not run here."""
    for name in ("RESUMABLE", "_STREAM_FROM"):
        monkeypatch.setattr(sftp_parts, name, 1)
    monkeypatch.setattr(sftp_channels, "FAR", 60.0)
    monkeypatch.setattr(together, "SMALL", 0)
    async with world.core() as core:
        await run(core, Stage.INGEST, Stage.SYNC)

        nas = (await core.board.refresh()).targets["nas"]
        assert 0 < nas.verified <= nas.copies
    assert set(hashes(served.root).values()) == set(hashes(world.archive).values())


async def test_rot_does_not_spread_and_is_found(world: World, served: Served) -> None:
    async with world.core() as core:
        await run(core)
        before = hashes(served.root)
        for path in before:
            data = bytearray((served.root / path).read_bytes())
            data[len(data) // 2] ^= 1
            (served.root / path).write_bytes(data)
        world.stand_in.control("move", index=0, to=world.libraries[1])

        await run(core)

        assert served.deliveries[0].twin_differs
        archived = hashes(world.archive)
        for delivery in served.deliveries:
            copy = hashes(served.root)[delivery.path]
            assert copy == archived[delivery.path], "what came of rot was not published"
        assert served.sent > 0
        damaged = [path for path in served.root.rglob("*") if "media_pipeline_damaged" in str(path)]
        assert damaged, "a twin that differs is proven at once, and mended"
