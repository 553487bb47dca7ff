"""A phone: sent to within a window and only once, told of what came, and never believed.

The phone is a real SSH server whose commands are those of Termux: real programs that we wrote.
"""

import asyncio
import hashlib
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from custom_components.media_pipeline.engine.clock import DAY, now_ms
from custom_components.media_pipeline.engine.config import EngineConfig, TargetConfig
from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.errors import (
    MarkerForeign,
    PhoneNotCharging,
    PhoneWindowFull,
    PipelineError,
    RunActive,
    ScanMissing,
    TargetUnreachable,
    TooLargeForPhone,
    UnknownTarget,
)
from custom_components.media_pipeline.engine.home import Item
from custom_components.media_pipeline.engine.model import (
    Content,
    RunOutcome,
    Stage,
    TargetStatus,
)
from custom_components.media_pipeline.engine.phone_desk import rescan
from custom_components.media_pipeline.engine.stages import phone
from custom_components.media_pipeline.engine.targets.base import ProofRequest, TargetIdentity
from custom_components.media_pipeline.engine.targets.phone import (
    PhoneTarget,
    PixelTargetConfig,
    Space,
)
from tests.support.phone import BROADCASTER, HANGING, SCANNER, Phone

from .harness import World, hashes, make_world, media_files, run, stats
from .targets.conftest import need_sshd
from .targets.place import make_sample, send

ASSETS = 6


@dataclass
class Owner:
    """What the phone's owner's home says; a real answer to each question of the engine."""

    closed: PipelineError | None = None
    opened: list[str] = field(default_factory=list)

    async def may_send(self, config: TargetConfig) -> None:
        if self.closed is not None:
            raise self.closed

    async def open_photos(self, config: TargetConfig) -> None:
        self.opened.append(config.target_id)

    async def check_action(self, config: TargetConfig) -> None: ...

    async def run_action(self, config: TargetConfig, item: Item) -> None: ...


class PhoneWorld(World):
    """Its one target is a phone."""

    phone: Phone
    owner: Owner
    options: dict[str, Any]

    def config(self) -> EngineConfig:
        access = self.phone.access
        target = PixelTargetConfig(
            target_id="disk",
            name="Pixel",
            host=access.host,
            port=access.port,
            username=access.username,
            host_key=access.host_key,
            private_key=access.private_key,
            path=str(self.target),
            **{"reserve_bytes": 0, "scan_seconds": 2.0, **self.options},
        )
        return replace(super().config(), targets=(target,))

    @asynccontextmanager
    async def core(self) -> AsyncIterator[Core]:
        core = Core(self.config(), lambda _: None, self.events.append, self.owner)
        try:
            await core.open()
            await self.sign_in(core)
            yield core
        finally:
            await core.close()

    def sql(self, statement: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(self.root / "private/catalog.db")) as database:
            rows = database.execute(statement, values).fetchall()
            database.commit()
            return rows


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    need_sshd()
    with make_world(tmp_path, monkeypatch, assets=ASSETS) as world:
        yield world


@pytest.fixture
async def world(made: World, tmp_path: Path) -> AsyncIterator[PhoneWorld]:
    world = PhoneWorld(**{name: getattr(made, name) for name in made.__dataclass_fields__})
    world.owner = Owner()
    world.options = {}
    world.phone = await Phone(made.target, tmp_path / "phone").start()
    yield world
    await world.phone.close()


async def status(core: Core) -> TargetStatus:
    snapshot = await core.board.refresh()
    return snapshot.targets["disk"]


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


async def test_vanished_is_not_lost(world: PhoneWorld) -> None:
    """Google Photos freed space: nothing is sent again, and it speaks for a back-up."""
    async with world.core() as core:
        await run(core)
        there = media_files(world.target)
        for path in there[:2]:
            path.unlink()
        assert (await run(core)).outcome is RunOutcome.COMPLETED
        assert media_files(world.target) == there[2:]
        now = await status(core)
        assert (now.delivered, now.resident, now.inferred) == (len(there), len(there) - 2, 2)
        assert now.missing == 0
        assert not [event for event in world.events if event.type == "copy_lost"]


async def test_a_folder_that_went_away_speaks_for_nothing(world: PhoneWorld) -> None:
    async with world.core() as core:
        await run(core)
        aside = world.target.with_name(world.target.name + "-aside")
        world.target.rename(aside)
        try:
            summary = await run(core, Stage.SYNC)
        finally:
            aside.rename(world.target)
        assert summary.outcome is RunOutcome.COMPLETED_WITH_PROBLEMS
        now = await status(core)
        assert now.inferred == 0
        assert now.resident == now.delivered > 0


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


async def test_it_is_a_target_like_the_others(tmp_path: Path) -> None:
    """Publishes whole, overwrites nothing, proves, lists, brings back, removes."""
    need_sshd()
    root = tmp_path / "dcim"
    root.mkdir()
    phone = await Phone(root, tmp_path / "phone").start()
    access = phone.access
    config = PixelTargetConfig(
        target_id="pixel",
        name="Pixel",
        host=access.host,
        port=access.port,
        username=access.username,
        host_key=access.host_key,
        private_key=access.private_key,
        path=str(root),
        reserve_bytes=0,
        window_bytes=1_000_000,
    )
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


@pytest.mark.parametrize("scanner", [HANGING, None, "#!/bin/sh\nexit 1\n"])
async def test_a_scan_that_goes_wrong_holds_nothing_up(
    world: PhoneWorld, scanner: str | None
) -> None:
    """Without the app Termux:API every command of it hangs for ever."""
    world.phone.give_scanner(scanner)
    async with world.core() as core:
        await run(core, Stage.INGEST)
        began = time.monotonic()
        assert (await run(core, Stage.SYNC)).outcome is RunOutcome.COMPLETED
        assert time.monotonic() - began < 20
        now = await status(core)
        assert now.resident == now.delivered > 0
        assert world.sql("select distinct scanned_at from copies") == [(None,)]
        world.phone.give_scanner(SCANNER)
        await run(core, Stage.SYNC)
        assert len(world.phone.told) == now.delivered, "told as soon as that works"


async def test_told_by_broadcast(world: PhoneWorld) -> None:
    world.phone.give_scanner(HANGING)
    world.phone.give_am(BROADCASTER)
    async with world.core() as core:
        await run(core)
        there = media_files(world.target)
        assert len(world.phone.broadcasts) == len(there) > 0
        assert world.sql("select count(*) from copies where scanned_at is null") == [(0,)]


async def test_told_again_while_nothing_speaks_for_a_back_up(world: PhoneWorld) -> None:
    async with world.core() as core:
        await run(core)
        there = len(media_files(world.target))
        (seen,) = world.sql("select path from copies order by path limit 1")[0]
        world.sql("update copies set seen_days = 3 where path = ?", seen)
        world.sql("update copies set scanned_at = ?", now_ms() - DAY // 2)
        await run(core, Stage.SYNC)
        assert len(world.phone.told) == there, "not more than once a day"
        world.sql("update copies set scanned_at = ?", now_ms() - DAY)
        await run(core, Stage.SYNC)
        again = world.phone.told[there:]
        assert len(again) == there - 1
        assert str((world.target / seen).resolve()) not in again
        await run(core, Stage.SYNC)
        assert len(world.phone.told) == 2 * there - 1


async def test_what_there_is_no_time_for_is_told_the_next_time(
    world: PhoneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As broadcasts for a whole library; what the phone was told of longest ago comes first."""
    monkeypatch.setattr(phone, "_AT_ONCE", 2)
    monkeypatch.setattr(phone, "_TELL_SECONDS", -1)
    async with world.core() as core:
        await run(core)
        there = len(media_files(world.target))
        assert len(world.phone.told) == 2
        assert (await status(core)).resident == there
        while len(world.phone.told) < there:
            before = len(world.phone.told)
            await run(core, Stage.SYNC)
            assert before < len(world.phone.told) <= before + 2
        first = world.phone.told
        assert len(set(first)) == there
        assert await rescan(core, "disk", None) == 2
        assert world.phone.told[there:] == first[:2]


async def test_rescan(world: PhoneWorld) -> None:
    """All of ours that lies there, whenever a person asks; whatever the conditions say."""
    world.options = {"notify_action": "notify.phone"}
    async with world.core() as core:
        assert await rescan(core, "disk", "Ann") == 0, "nothing was sent yet"
        await run(core)
        there = media_files(world.target)
        there.pop().unlink()
        before = len(world.phone.told)
        world.owner.closed = PhoneNotCharging()
        assert await rescan(core, "disk", "Ann") == len(there)
        assert sorted(world.phone.told[before:]) == sorted(str(path.resolve()) for path in there)
        assert world.owner.opened == ["disk"] * 2
        now = await status(core)
        assert (now.state, now.inferred) == ("ok", 0), "what left is noted by runs only"
        said = world.sql("select actor, subject from journal where action = 'phone_rescan'")
        assert said == [("Ann", "disk")] * 2


async def test_a_rescan_that_is_refused(world: PhoneWorld) -> None:
    world.options = {"parallel": 1}
    async with world.core() as core:
        with pytest.raises(UnknownTarget):
            await rescan(core, "another", None)
        run_id = await core.runs.start((Stage.INGEST, Stage.SYNC), "test")
        with pytest.raises(RunActive):
            await rescan(core, "disk", None)
        await core.runs.wait(run_id)
        world.phone.give_scanner(None)
        with pytest.raises(ScanMissing):
            await rescan(core, "disk", None)
        await world.phone.stop()
        with pytest.raises(TargetUnreachable):
            await rescan(core, "disk", None)
        await world.phone.start()
        world.phone.give_scanner(SCANNER)
        aside = world.target.with_name(world.target.name + "-aside")
        world.target.rename(aside)
        with pytest.raises(PipelineError):
            await rescan(core, "disk", None)
        aside.rename(world.target)
        assert await rescan(core, "disk", None) > 0
        assert (await run(core)).outcome is RunOutcome.COMPLETED, "nothing is left closed"


async def test_days_are_counted_once(world: PhoneWorld) -> None:
    """Three runs on one day are one day: only days speak for a back-up."""
    async with world.core() as core:
        for _ in range(4):
            await run(core)
        assert world.sql("select distinct seen_days from copies") == [(1,)]
        assert (await status(core)).inferred == 0
        for days in (2, 3):
            world.sql("update copies set seen_at = seen_at - ?", DAY)
            await run(core)
            assert world.sql("select distinct seen_days from copies") == [(days,)]
        now = await status(core)
        assert now.inferred == now.delivered > 0


async def test_days_before_it_was_told_speak_for_nothing(world: PhoneWorld) -> None:
    world.options = {"prune": True, "keep_days": 1}
    world.phone.give_scanner(None)
    async with world.core() as core:
        for _ in range(4):
            await run(core)
            world.sql("update copies set seen_at = seen_at - ?", DAY)
        world.sql("update copies set sent_at = 1")
        world.phone.give_scanner(SCANNER)
        there = media_files(world.target)
        await run(core)
        assert len(world.phone.told) == len(there) > 0
        await run(core)
        assert (await status(core)).inferred == 0
        assert media_files(world.target) == there


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


async def test_nothing_is_removed_without_being_asked(world: PhoneWorld) -> None:
    async with world.core() as core:
        await run(core)
        there = media_files(world.target)
        world.sql("update copies set seen_days = 9, sent_at = 1")
        await run(core)
        assert media_files(world.target) == there


async def test_pruning(world: PhoneWorld) -> None:
    """Only with evidence, only what is as we left it, only after so many days; never sent again."""
    world.options = {"prune": True, "keep_days": 14}
    async with world.core() as core:
        await run(core)
        there = sorted(str(path.relative_to(world.target)) for path in media_files(world.target))
        old = now_ms() - 15 * DAY
        young, unseen, untold, touched, *rest = there
        world.sql("update copies set seen_days = 3, sent_at = ?", old)
        world.sql("update copies set sent_at = ? where path = ?", now_ms() - 13 * DAY, young)
        world.sql("update copies set seen_days = 1 where path = ?", unseen)
        world.sql("update copies set seen_at = ?", now_ms())
        world.sql("update copies set scanned_at = null where path = ?", untold)
        world.phone.give_scanner(HANGING)
        os.utime(world.target / touched, (1_700_000_000, 1_700_000_000))
        assert rest
        await run(core)
        left = {str(path.relative_to(world.target)) for path in media_files(world.target)}
        assert left == {young, unseen, untold, touched}
        now = await status(core)
        assert now.resident == 4
        assert now.delivered == len(there)
        assert now.missing == 0
        how = world.sql("select distinct left_how from copies where left_at is not null")
        assert how == [("pruned",)], "by us, which speaks for nothing"


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
