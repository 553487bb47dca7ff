"""Many small files in one stream: on real servers, on poor ones, and when it breaks."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.errors import (
    FileVanished,
    MarkerMissing,
    NameRefused,
    SourceFileChanged,
    TargetFull,
    TargetUnreachable,
)
from custom_components.media_pipeline.engine.marker import MARKER_NAME
from custom_components.media_pipeline.engine.targets.base import Delivery, ProofRequest, Shipment
from custom_components.media_pipeline.engine.targets.sftp import SftpTarget
from custom_components.media_pipeline.engine.targets.together import SMALL, Together
from tests.support.asyncssh_server import AsyncsshServer, Shell
from tests.support.disks import SmallDisk
from tests.support.sshd import RealSshd

from .conftest import end_place, make_place
from .place import MTIME, Place, Sample, make_sample

COUNT = 40
NEEDED = ("sh", "cat", "rm", "sync", "xargs", "sha256sum", "tar", "test")


@pytest.fixture
async def openssh(tmp_path: Path) -> AsyncIterator[Place]:
    made = await make_place("openssh", tmp_path / "served" / "target")
    yield made
    await end_place(made)


def shipments(folder: Path, count: int = COUNT, size: int = 20_000) -> list[Shipment]:
    made = []
    for n in range(count):
        sample = make_sample(folder, size + n, seed=n)
        made.append(_shipment(sample, f"2024/{n % 3 + 1:02d}/IMG_{n:04d}.HEIC"))
    return made


def _shipment(sample: Sample, path: str) -> Shipment:
    return Shipment(sample.path, path, sample.size, sample.sha256, MTIME)


async def opened(place: Place) -> SftpTarget:
    target = place.target()
    assert isinstance(target, SftpTarget)
    await target.open()
    return target


def arrived(place: Place, items: list[Shipment]) -> None:
    for item in items:
        assert (place.root / item.path).read_bytes() == item.source.read_bytes()


async def test_one_stream(openssh: Place, tmp_path: Path) -> None:
    target = await opened(openssh)
    items = shipments(tmp_path)
    for name, size in (("empty.json", 0), ('it\'s "odd" $HOME `x` 写真.jpg', 9), ("-rf.jpg", 7)):
        items.append(_shipment(make_sample(tmp_path, size, name=f"x{size}"), name))
    items.append(_shipment(make_sample(tmp_path, SMALL), "biggest.heic"))
    counts: list[int] = []
    seen: set[str] = set()

    def count(size: int) -> None:
        counts.append(size)
        seen.update(name for name in openssh.files() if not name.startswith("."))

    assert target.takes_many
    results = await target.deliver_many(items, on_bytes=count)
    proofs = await target.prove([ProofRequest(item.path, item.size) for item in items])

    assert results == [Delivery(item.path, item.size) for item in items]
    assert [proof.sha256 for proof in proofs] == [item.sha256 for item in items]
    assert openssh.files() == {item.path for item in items}
    arrived(openssh, items)
    for item in items:
        stat = (openssh.root / item.path).stat()
        assert (stat.st_mtime, stat.st_nlink) == (MTIME, 1)
        assert stat.st_mode & 0o777 == 0o666 & ~_umask()
    assert sum(counts) >= sum(item.size for item in items)
    assert seen == set()  # nothing is visible before it is whole


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


async def test_taken_names_are_left_to_others(openssh: Place, tmp_path: Path) -> None:
    target = await opened(openssh)
    items = shipments(tmp_path)
    foreign, folder, same = items[3], items[5], items[7]
    for item in (foreign, folder, same):
        (openssh.root / item.path).parent.mkdir(parents=True, exist_ok=True)
    (openssh.root / foreign.path).write_text("foreign")
    (openssh.root / folder.path).mkdir()
    twin = Shipment(items[0].source, items[0].path, items[0].size, items[0].sha256, MTIME)
    shutil.copy(same.source, openssh.root / same.path)
    refused = Shipment(items[0].source, "../up.jpg", items[0].size, items[0].sha256, MTIME)

    results = await target.deliver_many([*items, twin, refused])

    assert [n for n, result in enumerate(results) if result is None] == [3, 5, 7, COUNT]
    assert isinstance(results[-1], NameRefused)
    assert (openssh.root / foreign.path).read_text() == "foreign"
    arrived(openssh, [item for item in items if item not in {foreign, folder}])


async def test_foreign_file_appears_meanwhile(openssh: Place, tmp_path: Path) -> None:
    target = await opened(openssh)
    items = shipments(tmp_path)

    def interfere(_: int) -> None:
        (openssh.root / items[4].path).write_text("foreign")

    results = await target.deliver_many(items, on_bytes=interfere)

    assert [n for n, result in enumerate(results) if result is None] == [4]
    assert (openssh.root / items[4].path).read_text() == "foreign"
    assert openssh.files() == {item.path for item in items}


async def test_sources_changed_or_gone(openssh: Place, tmp_path: Path) -> None:
    target = await opened(openssh)
    items = shipments(tmp_path)
    items[1].source.write_bytes(b"x" * items[1].size)
    items[2].source.write_bytes(items[2].source.read_bytes()[:-1])
    items[3].source.unlink()

    results = await target.deliver_many(items)

    assert [type(result) for result in results[1:4]] == [
        SourceFileChanged,
        SourceFileChanged,
        FileVanished,
    ]
    good = [items[0], *items[4:]]
    assert openssh.files() == {item.path for item in good}
    arrived(openssh, good)


@pytest.mark.parametrize("how", ["killed", "cancelled", "unmounted"])
async def test_cut_in_the_middle(openssh: Place, tmp_path: Path, how: str) -> None:
    target = await opened(openssh)
    items = shipments(tmp_path, size=500_000)
    server, gone = openssh.server, tmp_path / "gone"
    assert isinstance(server, RealSshd)
    started = asyncio.Event()

    def strike(_: int) -> None:
        if not started.is_set():
            started.set()
            if how == "killed":
                server.kill_sessions()
            if how == "unmounted":
                openssh.root.rename(gone)
                openssh.root.mkdir()

    task = asyncio.create_task(target.deliver_many(items, on_bytes=strike))
    await started.wait()
    if how == "cancelled":
        task.cancel()
    expected = {
        "killed": TargetUnreachable,
        "cancelled": asyncio.CancelledError,
        "unmounted": MarkerMissing,
    }
    with pytest.raises(expected[how]):
        await task

    if how == "unmounted":
        assert list(openssh.root.iterdir()) == []
        assert all(".mp-part" in name for name in openssh.files(gone))
        return
    again = await target.deliver_many(items)  # connects anew, and cleans up first
    assert all(isinstance(result, Delivery) for result in again)
    assert openssh.files() == {item.path for item in items}
    arrived(openssh, items)


async def test_full_disk(small_disk: SmallDisk, tmp_path: Path) -> None:
    place = await make_place("openssh", small_disk.path / "target")
    try:
        target = await opened(place)
        items = shipments(tmp_path, size=450_000)
        filler = small_disk.path / "filler"

        def fill(_: int) -> None:
            if not filler.exists():
                filler.touch()
                os.posix_fallocate(os.open(filler, os.O_WRONLY), 0, 15_000_000)

        results = await target.deliver_many(items, on_bytes=fill)

        assert None in results  # these are tried one by one, which says why
        done = {item.path for item, result in zip(items, results, strict=True) if result}
        assert place.files() == done
        async with Together(target, 1) as together:
            with pytest.raises(TargetFull):
                await asyncio.gather(*(_through(together, item) for item in items))
    finally:
        await end_place(place)


async def poor(tmp_path: Path, programs: dict[str, str]) -> Place:
    """A server whose shell has only these programs (name → what it really is, or a script)."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, what in programs.items():
        if what.startswith("#!"):
            (tools / name).write_text(what)
            (tools / name).chmod(0o755)
        else:
            (tools / name).symlink_to(what)
    served = tmp_path / "served"
    served.mkdir()
    server = await AsyncsshServer(served, shell=Shell(served, path=str(tools))).start()
    return Place("asyncssh", served / "target", server)


def installed(*names: str) -> dict[str, str]:
    return {name: shutil.which(name) or f"/missing/{name}" for name in names}


async def test_busybox(tmp_path: Path) -> None:
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("busybox is not installed: scripts/setup --all")
    place = await poor(tmp_path, dict.fromkeys(NEEDED, busybox))
    try:
        target = await opened(place)
        items = shipments(tmp_path)

        results = await target.deliver_many(items)
        proofs = await target.prove([ProofRequest(item.path, item.size) for item in items])

        assert results == [Delivery(item.path, item.size) for item in items]
        assert [proof.sha256 for proof in proofs] == [item.sha256 for item in items]
        assert place.files() == {item.path for item in items}
    finally:
        await end_place(place)


@pytest.mark.parametrize(
    "tar",
    ["", "#!/bin/sh\nexit 1\n", "#!/bin/sh\ncat >/dev/null\n"],
    ids=["no tar", "tar that fails", "tar that does nothing"],
)
async def test_without_tar(tmp_path: Path, tar: str) -> None:
    programs = installed("sh", "cat", "rm", "sync", "xargs", "sha256sum", "test")
    place = await poor(tmp_path, {**programs, "tar": tar or "/missing/tar"})
    try:
        target = await opened(place)
        items = shipments(tmp_path, 12)
        async with Together(target, 8) as together:
            deliveries = await asyncio.gather(*(_through(together, item) for item in items))

        assert not target.takes_many
        assert [delivery.path for delivery in deliveries] == [item.path for item in items]
        assert place.files() == {item.path for item in items}
        arrived(place, items)
    finally:
        await end_place(place)


async def test_files_that_arrive_damaged(tmp_path: Path) -> None:
    """What the server hashes otherwise than we do is never published."""
    real = shutil.which("tar")
    damage = f'#!/bin/sh\n{real} "$@"\nprintf x | dd of=5 bs=1 seek=9 conv=notrunc 2>/dev/null\n'
    programs = installed("sh", "cat", "rm", "sync", "xargs", "sha256sum", "dd", "test", "printf")
    place = await poor(tmp_path, {**programs, "tar": damage})
    try:
        target = await opened(place)
        items = shipments(tmp_path)

        results = await target.deliver_many(items)

        assert [n for n, result in enumerate(results) if result is None] == [5]
        assert place.files() == {item.path for item in items} - {items[5].path}
    finally:
        await end_place(place)


@pytest.mark.parametrize("overwrites", [False, True])
async def test_without_hard_links(tmp_path: Path, overwrites: bool) -> None:
    """As on a phone's shared storage: renamed, and never over what appeared meanwhile."""
    place = await poor(tmp_path, installed(*NEEDED))
    assert isinstance(place.server, AsyncsshServer)
    place.server.faults.no_link = True
    place.server.faults.rename_overwrites = overwrites
    try:
        target = await opened(place)
        items = shipments(tmp_path)

        def interfere(_: int) -> None:
            (place.root / items[4].path).write_text("foreign")

        results = await target.deliver_many(items, on_bytes=interfere)

        assert [n for n, result in enumerate(results) if result is None] == [4]
        assert (place.root / items[4].path).read_text() == "foreign"
        assert place.files() == {item.path for item in items}
    finally:
        await end_place(place)


async def test_old_folders_of_parts_are_swept(openssh: Place) -> None:
    target = await opened(openssh)
    old, young = (openssh.root / f".many.{n}.mp-part" for n in ("0123456789ab", "ba9876543210"))
    for folder in (old, young):
        folder.mkdir()
        (folder / "0").write_bytes(b"x")
    os.utime(old, (1e9, 1e9))

    assert [file.path async for file in target.listing()] == []  # they are no copies
    await target.open()

    assert openssh.files() == {f"{young.name}/0"}


async def _through(together: Together, item: Shipment, *, replace: bool = False) -> Delivery:
    return await together.deliver(
        item.source,
        item.path,
        size=item.size,
        sha256=item.sha256,
        mtime=item.mtime,
        replace=replace,
    )


class Counting(SftpTarget):
    """Notes how many files went in each stream."""

    streams: list[int]

    async def deliver_many(self, items, *, on_bytes=None):  # type: ignore[no-untyped-def]
        self.streams.append(len(items))
        return await super().deliver_many(items, on_bytes=on_bytes)


async def test_callers_meet_in_one_stream(openssh: Place, tmp_path: Path) -> None:
    """Small ones go together; big ones, new versions and taken names one by one."""
    config = openssh.config()
    plain = await opened(openssh)
    target = Counting(config, (await plain.open()).identity)  # type: ignore[arg-type]
    target.streams = []
    openssh.opened.append(target)
    await target.open()
    small = shipments(tmp_path)
    big = _shipment(make_sample(tmp_path, SMALL + 1), "big.mov")
    gone = Shipment(tmp_path / "gone", "gone.jpg", 5, "0" * 64, MTIME)
    (openssh.root / "2024/01").mkdir(parents=True)
    (openssh.root / small[0].path).write_text("foreign")
    record = _shipment(make_sample(tmp_path, 400), "record.json")
    await _through(Together(target, 2), record)
    newer = _shipment(make_sample(tmp_path, 500), "record.json")

    async with Together(target, 4) as together:
        assert together.callers > COUNT
        work = [_through(together, item) for item in [*small, big, gone]]
        results = await asyncio.gather(
            *work, _through(together, newer, replace=True), return_exceptions=True
        )

    assert target.streams == [COUNT + 1]
    assert isinstance(results[COUNT + 1], FileVanished)
    tagged = results[0]
    assert isinstance(tagged, Delivery)
    assert tagged.path == small[0].path.replace(".HEIC", f"~{small[0].sha256[:8]}.HEIC")
    assert (openssh.root / small[0].path).read_text() == "foreign"
    arrived(openssh, [*small[1:], big, newer])


async def test_leaving_while_a_stream_goes(openssh: Place, tmp_path: Path) -> None:
    target = await opened(openssh)
    items = shipments(tmp_path, size=900_000)
    started = asyncio.Event()
    before = len(asyncio.all_tasks())

    async with Together(target, 4) as together:
        tasks = [
            asyncio.create_task(
                together.deliver(
                    item.source,
                    item.path,
                    size=item.size,
                    sha256=item.sha256,
                    mtime=MTIME,
                    on_bytes=lambda _: started.set(),
                )
            )
            for item in items
        ]
        await started.wait()
        for task in tasks:
            task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert {type(result) for result in results} == {asyncio.CancelledError}
    assert openssh.files() == set()
    assert len(asyncio.all_tasks()) <= before


async def test_a_server_that_takes_only_sftp(tmp_path: Path) -> None:
    place = await make_place("openssh-sftp-only", tmp_path / "served" / "target")
    try:
        target = await opened(place)
        items = shipments(tmp_path, 12)

        assert not target.takes_many
        assert await target.deliver_many(items) == [None] * 12
        async with Together(target, 8) as together:
            assert together.callers == 8
            await asyncio.gather(*(_through(together, item) for item in items))
        assert place.files() == {item.path for item in items}
    finally:
        await end_place(place)


async def test_marker_is_looked_at_first(openssh: Place, tmp_path: Path) -> None:
    target = await opened(openssh)
    (openssh.root / MARKER_NAME).unlink()

    with pytest.raises(MarkerMissing):
        await target.deliver_many(shipments(tmp_path, 12))

    assert list(openssh.root.iterdir()) == []
