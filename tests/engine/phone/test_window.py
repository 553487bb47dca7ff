"""So much and no more lies on a phone at a time."""

from custom_components.media_pipeline.engine.model import Content, RunOutcome, Stage
from custom_components.media_pipeline.engine.targets.phone import Space

from ..harness import hashes, media_files, run
from .conftest import ASSETS, PhoneWorld, status


async def test_the_window(world: PhoneWorld) -> None:
    """So much and no more lies there; what was freed makes room for the next."""
    async with world.core() as core:
        await run(core, Stage.INGEST)
    sizes = [row[0] for row in world.sql("select size from resources where state = 'archived'")]
    window = max(sizes) + max(sizes) // 2
    world.options = {"window_bytes": window, "content": Content.ORIGINALS, "parallel": 1}
    sent: dict[str, str] = {}
    for _ in range(4 * ASSETS):
        async with world.core() as core:
            summary = await run(core)
            assert summary.outcome is RunOutcome.COMPLETED, "to wait is no problem"
            there = hashes(world.target)
            assert sum(path.stat().st_size for path in media_files(world.target)) <= window
            assert not set(there) & set(sent), "nothing is sent twice"
            sent |= there
            now = await status(core)
            if now.missing == 0:
                break
            assert now.state == "phone_window_full"
            assert there, "there is room for at least one"
            assert len(world.phone.told) == len(sent), "told of all the same"
        for path in media_files(world.target):
            path.unlink()
    assert now.state == "ok"
    assert now.delivered == len(sent) > ASSETS / 2


def test_the_window_leaves_room() -> None:
    gigabyte = 1_000_000_000
    roomy = Space(free=20 * gigabyte, total=32 * gigabyte)
    assert roomy.room(0, None) == 12 * gigabyte, "60 % of what is free"
    assert roomy.room(0, 5 * gigabyte) == 5 * gigabyte
    assert roomy.room(4 * gigabyte, 5 * gigabyte) == gigabyte
    tight = Space(free=4 * gigabyte, total=32 * gigabyte)
    assert tight.room(0, None) == 4 * gigabyte - int(3.2 * gigabyte), "a tenth stays free"
    small = Space(free=3 * gigabyte, total=8 * gigabyte)
    assert small.room(0, None) == gigabyte, "and never less than 2 GB"
    assert Space(free=gigabyte, total=8 * gigabyte).room(0, None) < 0


def test_too_large_is_what_would_not_go_even_alone() -> None:
    gigabyte = 1_000_000_000
    roomy = Space(free=10 * gigabyte, total=32 * gigabyte)
    assert roomy.largest(0, None) == 6 * gigabyte
    assert roomy.largest(10 * gigabyte, None) == 12 * gigabyte, "when all of ours were gone"
    assert roomy.largest(0, 2 * gigabyte) == 2 * gigabyte
    tight = Space(free=5 * gigabyte, total=32 * gigabyte)
    assert tight.largest(0, None) == 5 * gigabyte - int(3.2 * gigabyte), "what stays free, too"
    full = Space(free=gigabyte // 100, total=32 * gigabyte)
    assert full.room(0, None) < 0
    assert full.largest(0, None) == gigabyte, "a phone full of others' files: photos wait"
