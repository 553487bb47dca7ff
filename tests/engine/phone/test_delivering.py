"""A phone is sent each photo once, when its owner's home lets us, and told of what came."""

import asyncio
import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.errors import (
    MarkerForeign,
    PhoneNotCharging,
    PhoneWindowFull,
    TooLargeForPhone,
)
from custom_components.media_pipeline.engine.model import Content, RunOutcome, Stage
from custom_components.media_pipeline.engine.targets.base import ProofRequest, TargetIdentity
from custom_components.media_pipeline.engine.targets.phone import PhoneTarget
from tests.support.phone import Phone

from ..harness import media_files, run, stats
from ..targets.conftest import need_sshd
from ..targets.place import make_sample, send
from .conftest import PhoneWorld, status


async def test_what_comes_is_told_to_the_phone(world: PhoneWorld) -> None:
    world.options = {"notify_action": "notify.phone"}
    async with world.core() as core:
        assert (await run(core)).outcome is RunOutcome.COMPLETED
        there = media_files(world.target)
        assert there
        assert sorted(world.phone.told) == sorted(str(path.resolve()) for path in there)
        now = await status(core)
        size = sum(path.stat().st_size for path in there)
        assert (now.state, now.missing) == ("ok", 0)
        assert (now.delivered, now.resident, now.resident_bytes) == (len(there), len(there), size)
        assert (now.inferred, now.verified) == (0, 0)
        assert (await stats(core)).protected == 0
        assert world.owner.opened == ["disk"]
        sha1 = {hashlib.sha1(path.read_bytes()).hexdigest() for path in there}  # noqa: S324
        assert {row[0] for row in world.sql("select sha1 from resources where sha1 <> ''")} == sha1
        await run(core)
        assert len(world.phone.told) == len(there), "told once"
        assert world.owner.opened == ["disk"]


async def test_another_content_is_no_second_photo(world: PhoneWorld) -> None:
    """Who chooses smaller versions later gets those of new photos only, and the other way round."""
    order = [Content.COMPRESSED, Content.ORIGINALS, Content.MOTION_PHOTOS, Content.ORIGINALS]
    world.compress = replace(world.compress, photos=True)
    files = 0
    for content in order:
        world.options = {"content": content}
        async with world.core() as core:
            await run(core)
            files = files or len(media_files(world.target))
            now = await status(core)
            assert (now.delivered, now.missing) == (files, 0), content
    assert (
        world.sql(
            "select count(*) from copies c join resources r on r.id = c.resource_id"
            " where r.role = 'compressed' and c.state = 'delivered'"
        )[0][0]
        > 0
    )
    world.options = {"content": Content.BOTH}
    async with world.core() as core:
        await run(core)
        assert (await status(core)).delivered > files, "unless both are wanted"


async def test_a_live_photo_is_not_sent_again_in_parts(world: PhoneWorld) -> None:
    async with world.core() as core:
        await run(core)
        files = (await status(core)).delivered
    assert world.sql(
        "select count(*) from copies c join resources r on r.id = c.resource_id"
        " where r.role = 'motion_photo' and c.state = 'delivered'"
    ) != [(0,)]
    world.options = {"content": Content.ORIGINALS}
    async with world.core() as core:
        await run(core)
        assert (await status(core)).delivered == files


async def test_the_same_bytes_are_one_photo(world: PhoneWorld) -> None:
    """Also when the queue brings two assets with the same bytes at once."""
    world.options = {"content": Content.ORIGINALS}
    async with world.core() as core:
        await run(core, Stage.INGEST)
        (one, two), *_ = zip(*[iter(media_files(core.archive.root))] * 2, strict=False)
        same = hashlib.sha256(one.read_bytes()).hexdigest()
        two.write_bytes(one.read_bytes())
        world.sql(
            "update resources set sha256 = ?, size = ? where path = ?",
            same,
            one.stat().st_size,
            str(two.relative_to(core.archive.root)),
        )
        assert (await run(core, Stage.SYNC)).outcome is RunOutcome.COMPLETED
        sent = [hashlib.sha256(path.read_bytes()).hexdigest() for path in media_files(world.target)]
        assert sent.count(same) == 1
        assert len(sent) == len(media_files(core.archive.root)) - 1
        assert (await status(core)).missing == 0


async def test_conditions(world: PhoneWorld) -> None:
    world.owner.closed = PhoneNotCharging()
    async with world.core() as core:
        assert (await run(core)).outcome is RunOutcome.COMPLETED
        now = await status(core)
        assert (now.state, now.delivered) == ("phone_not_charging", 0)
        assert now.missing > 0
        assert media_files(world.target) == []
        world.owner.closed = None
        assert (await run(core)).outcome is RunOutcome.COMPLETED
        assert (await status(core)).missing == 0


async def test_the_sending_is_asked_for_while_it_goes_on(world: PhoneWorld) -> None:
    """The phone is unplugged in the middle: what is under way ends, the rest waits."""
    world.options = {"parallel": 1}
    async with world.core() as core:
        await run(core, Stage.INGEST)
        run_id = await core.runs.start((Stage.SYNC,), "test")
        while not media_files(world.target):
            await asyncio.sleep(0.01)
        world.owner.closed = PhoneNotCharging()
        assert (await core.runs.wait(run_id)).outcome is RunOutcome.COMPLETED


async def test_it_is_a_target_like_the_others(tmp_path: Path) -> None:
    """Publishes whole, overwrites nothing, proves, lists, brings back, removes."""
    need_sshd()
    root = tmp_path / "dcim"
    root.mkdir()
    phone = await Phone(root, tmp_path / "phone").start()
    config = phone.target_config(root, window_bytes=1_000_000)
    target = PhoneTarget(config, TargetIdentity())
    try:
        assert (await target.open()).identity.marker_id
        (root / "a.jpg").write_bytes(b"somebody else's")
        sample = make_sample(tmp_path, 300_000)
        first = await send(target, sample, "a.jpg")
        assert first.path != "a.jpg"
        assert (root / first.path).read_bytes() == sample.data
        assert (root / "a.jpg").read_bytes() == b"somebody else's"
        assert (await send(target, sample, "a.jpg")).already_there
        (proof,) = await target.prove([ProofRequest(first.path, sample.size)])
        assert proof.sha256 == sample.sha256
        assert {file.path for file in [one async for one in target.listing()]} == {
            "a.jpg",
            first.path,
        }
        await target.fetch(first.path, tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == sample.data
        assert set(await target.look([first.path, "nothing.jpg"])) == {first.path}
        await target.delete(first.path)
        assert await target.look([first.path]) == {}
        with pytest.raises(TooLargeForPhone):
            await send(target, make_sample(tmp_path, 1_000_001), "b.jpg")
        await target.take_room(900_000)
        with pytest.raises(PhoneWindowFull):
            await send(target, make_sample(tmp_path, 200_000), "b.jpg")
        assert not (root / "b.jpg").exists()
        same = PhoneTarget(config, TargetIdentity("another-marker"))
        with pytest.raises(MarkerForeign):
            await same.open()
        await same.close()
    finally:
        await target.close()
        await phone.close()
