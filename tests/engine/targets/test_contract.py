"""What every target promises, whatever carries the bytes."""

import asyncio
import os
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.errors import (
    FileVanished,
    LocalWriteFailed,
    MarkerForeign,
    MarkerMissing,
    NameRefused,
    SourceFileChanged,
    TargetFull,
    TargetTaken,
    TargetUnavailableError,
)
from custom_components.media_pipeline.engine.marker import MARKER_NAME, marker_text
from custom_components.media_pipeline.engine.model import ProofMethod
from custom_components.media_pipeline.engine.targets.base import (
    MovingTarget,
    ProofRequest,
    TargetIdentity,
)
from custom_components.media_pipeline.engine.targets.registry import probe_target
from tests.support.disks import SmallDisk

from .conftest import FOLDER_KINDS, end_place, make_place
from .place import MTIME, Place, make_sample, send

PATH = "2024/05/IMG_0001.HEIC"


async def test_delivers_and_proves(place: Place, tmp_path: Path) -> None:
    target, sample = place.target(), make_sample(tmp_path, 3_000_001)
    await target.open()
    counts: list[int] = []

    delivery = await send(target, sample, PATH, on_bytes=counts.append)
    [proof] = await target.prove([ProofRequest(PATH, sample.size)])

    assert (delivery.path, delivery.size, delivery.already_there) == (PATH, sample.size, False)
    assert place.read(PATH) == sample.data
    if place.is_folder:
        assert (place.root / PATH).stat().st_mtime == MTIME
    assert place.files() == {PATH}
    assert sum(counts) == sample.size
    if place.has_parts and not place.kind.startswith("rclone"):  # it tells of its bytes when asked
        assert len(counts) > 1
    assert (proof.path, proof.sha256, proof.size) == (PATH, sample.sha256, sample.size)
    assert proof.method is place.method


async def test_info(place: Place) -> None:
    info = await place.target().open()

    assert info.identity.marker_id
    assert bool(info.free_bytes) == place.tells_space
    assert not info.off_machine  # everything here lies on this machine
    assert info.remote_hash == place.remote_hash
    assert info.domain.startswith(place.domain)
    assert (await place.target(off_machine=True).open()).off_machine


async def test_empty_file(place: Place, tmp_path: Path) -> None:
    target, sample = place.target(), make_sample(tmp_path, 0)
    await target.open()

    await send(target, sample, "empty.json")

    assert place.read("empty.json") == b""
    assert [p.sha256 for p in await target.prove([ProofRequest("empty.json", 0)])] == [
        sample.sha256
    ]


async def test_nothing_visible_while_sending(place: Place, tmp_path: Path) -> None:
    target, sample = place.target(), make_sample(tmp_path, 4_000_000)
    await target.open()
    seen: set[str] = set()

    await send(target, sample, PATH, on_bytes=lambda _: seen.update(place.files()))

    parts = {name for name in seen if name.endswith(".mp-part")}
    if not place.kind.startswith("rclone"):  # its servers may show a file only when it is whole
        assert bool(parts) == place.has_parts
    assert seen - parts <= {PATH}
    assert all(Path(name).name.startswith(".") for name in parts)
    assert place.files() == {PATH}


async def test_delivering_again_sends_nothing(place: Place, tmp_path: Path) -> None:
    target, sample = place.target(), make_sample(tmp_path, 600_000)
    await target.open()
    await send(target, sample, PATH)
    counts: list[int] = []

    again = await send(target, sample, PATH, on_bytes=counts.append)

    assert again.already_there
    assert again.path == PATH
    assert counts == []
    assert place.files() == {PATH}


async def test_never_overwrites_foreign_data(place: Place, tmp_path: Path) -> None:
    target, sample = place.target(), make_sample(tmp_path, 500_000)
    await target.open()
    place.write(PATH, b"x" * sample.size)  # the same size: only the hash tells

    first = await send(target, sample, PATH)
    second = await send(target, sample, PATH)

    assert first.path == f"2024/05/IMG_0001~{sample.sha256[:8]}.HEIC"
    assert second == type(second)(first.path, sample.size, already_there=True)
    assert place.read(PATH) == b"x" * sample.size
    assert place.read(first.path) == sample.data
    assert place.files() == {PATH, first.path}


async def test_a_folder_in_the_way(folders: Place, tmp_path: Path) -> None:
    place = folders
    target, sample = place.target(), make_sample(tmp_path, 5_000)
    await target.open()
    (place.root / PATH).mkdir(parents=True)

    delivery = await send(target, sample, PATH, replace=True)

    assert delivery.path != PATH
    assert place.files() == {delivery.path}


async def test_replaces_only_when_asked(place: Place, tmp_path: Path) -> None:
    target = place.target()
    old, new = make_sample(tmp_path, 5_000, seed=1), make_sample(tmp_path, 7_000, seed=2)
    await target.open()
    await send(target, old, "record.json")

    delivery = await send(target, new, "record.json", replace=True)

    assert delivery.path == "record.json"
    assert place.read("record.json") == new.data
    assert place.files() == {"record.json"}


async def test_foreign_file_appears_while_sending(place: Place, tmp_path: Path) -> None:
    target, sample = place.target(), make_sample(tmp_path, 3_000_000)
    await target.open()

    def interfere(_: int) -> None:
        place.write(PATH, b"foreign")

    delivery = await send(target, sample, PATH, on_bytes=interfere)

    if delivery.path == PATH:  # a report may come after the file was published
        pytest.skip("the other file came too late")
    assert place.read(PATH) == b"foreign"
    assert place.read(delivery.path) == sample.data


async def test_source_changed_or_gone(place: Place, tmp_path: Path) -> None:
    target, sample = place.target(), make_sample(tmp_path, 700_000)
    await target.open()

    with pytest.raises(SourceFileChanged):
        await send(target, sample, PATH, sha256="0" * 64)
    with pytest.raises(SourceFileChanged):
        await send(target, sample, PATH, size=sample.size + 1)
    sample.path.unlink()
    with pytest.raises(FileVanished):
        await send(target, sample, PATH)

    assert place.files() == set()


async def test_proof_notices_damage_and_loss(place: Place, tmp_path: Path) -> None:
    target = place.target()
    samples = {f"{n}.bin": make_sample(tmp_path, 300_000 + n, seed=n) for n in range(6)}
    await target.open()
    for path, sample in samples.items():
        await send(target, sample, path)
    data = bytearray(place.read("1.bin"))
    data[123_456] ^= 1
    place.write("1.bin", bytes(data))
    place.remove("2.bin")
    place.write("3.bin", place.read("3.bin")[:1000])
    place.remove("4.bin")
    if place.is_folder:
        (place.root / "4.bin").mkdir()

    proofs = await target.prove([ProofRequest(p, s.size) for p, s in samples.items()])

    assert [proof.path for proof in proofs] == list(samples)
    right = {proof.path for proof in proofs if proof.sha256 == samples[proof.path].sha256}
    assert right == {"0.bin", "5.bin"}
    assert proofs[1].sha256 is not None
    assert (proofs[2].sha256, proofs[2].size) == (None, None)
    assert proofs[3].size == 1000
    assert proofs[4].sha256 is None


async def test_moves_without_overwriting(place: Place, tmp_path: Path) -> None:
    target = place.target()
    await target.open()
    if not isinstance(target, MovingTarget):
        pytest.skip("this kind can't rename")
    sample, other = make_sample(tmp_path, 40_000), make_sample(tmp_path, 50_000, seed=2)
    await send(target, sample, PATH)
    await send(target, other, "there/other.bin")

    assert await target.move(PATH, "aside/2026/a.bin")
    assert not await target.move(PATH, "aside/gone.bin"), "it is not there any more"
    assert not await target.move("aside/2026/a.bin", "there/other.bin"), "somebody's name"

    assert place.files() == {"aside/2026/a.bin", "there/other.bin"}
    assert place.read("aside/2026/a.bin") == sample.data
    assert place.read("there/other.bin") == other.data


async def test_brings_files_back(place: Place, tmp_path: Path) -> None:
    target, sample = place.target(), make_sample(tmp_path, 3_000_001)
    await target.open()
    await send(target, sample, PATH)
    back, counts = tmp_path / "back", list[int]()

    await target.fetch(PATH, back, on_bytes=counts.append)

    assert back.read_bytes() == sample.data
    assert sum(counts) == sample.size
    with pytest.raises(LocalWriteFailed):  # never over another file
        await target.fetch(PATH, back)
    assert back.read_bytes() == sample.data
    with pytest.raises(FileVanished):
        await target.fetch("2024/05/never.heic", tmp_path / "never")
    assert not (tmp_path / "never").exists()


async def test_cancelled_while_bringing_back(place: Place, tmp_path: Path) -> None:
    target, sample = place.target(), make_sample(tmp_path, 30_000_000)
    await target.open()
    await send(target, sample, PATH)
    back, started = tmp_path / "back", asyncio.Event()
    task = asyncio.create_task(target.fetch(PATH, back, on_bytes=lambda _: started.set()))
    await started.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not back.exists()
    await target.fetch(PATH, back)
    assert back.read_bytes() == sample.data


async def test_lists_what_lies_there(place: Place, tmp_path: Path) -> None:
    target = place.target()
    samples = {f"20{n % 3}/e f/{n}.bin": make_sample(tmp_path, 100 + n, n) for n in range(7)}
    await target.open()
    for path, sample in samples.items():
        await send(target, sample, path)
    place.write("foreign ü.txt", b"not ours")
    place.write("201/.x.0123456789ab.mp-part", b"half")

    everything = {file.path: file.size async for file in target.listing()}
    one = {file.path async for file in target.listing("201")}

    assert everything == {path: s.size for path, s in samples.items()} | {"foreign ü.txt": 8}
    assert one == {path for path in samples if path.startswith("201/")}
    assert [file async for file in target.listing("never")] == []


async def test_delete(place: Place, tmp_path: Path) -> None:
    target, sample = place.target(), make_sample(tmp_path, 1000)
    await target.open()
    await send(target, sample, PATH)

    await target.delete(PATH)
    await target.delete(PATH)
    await target.delete("never/was.jpg")

    assert place.files() == set()


@pytest.mark.parametrize(
    "name",
    [
        "Ümläüt/日本語 写真.HEIC",
        'it\'s "quoted" $HOME `x`; *.jpg',
        "emoji 👩‍👩‍👧‍👦.mov",
        "-rf.jpg",
        "a" * 190 + ".jpeg",
    ],
)
async def test_names(place: Place, tmp_path: Path, name: str) -> None:
    if place.kind == "webdav-wsgidav" and ";" in name:
        pytest.skip("that server ends a name at a semicolon; see test_webdav_faults.py")
    target, sample = place.target(), make_sample(tmp_path, 2_000)
    await target.open()

    await send(target, sample, name)
    [proof] = await target.prove([ProofRequest(name, sample.size)])

    assert place.files() == {name}
    assert proof.sha256 == sample.sha256
    if place.kind == "openssh":
        assert proof.method is ProofMethod.REMOTE_HASH


@pytest.mark.parametrize(
    "name",
    ["../up.jpg", "/etc/x", "a//b", "", "a\nb", "a\\b", "x" * 256, MARKER_NAME, "./a", "a/.."],
)
async def test_refused_names(place: Place, tmp_path: Path, name: str) -> None:
    target, sample = place.target(), make_sample(tmp_path, 10)
    await target.open()

    with pytest.raises(NameRefused):
        await send(target, sample, name)
    with pytest.raises(NameRefused):
        await target.prove([ProofRequest(name, 10)])
    with pytest.raises(NameRefused):
        await target.delete(name)

    assert place.files() == set()


@pytest.mark.parametrize("mtime", [-315_619_200.5, 4_417_977_600.0, 1e18])
async def test_odd_times(place: Place, tmp_path: Path, mtime: float) -> None:
    target, sample = place.target(), make_sample(tmp_path, 10)
    await target.open()

    await send(target, sample, "scan.jpg", mtime=mtime)

    assert place.files() == {"scan.jpg"}


async def test_reopened_with_its_identity(place: Place, tmp_path: Path) -> None:
    sample = make_sample(tmp_path, 10)
    first = await place.target().open()
    place.write("mine.txt", b"foreign")

    target = place.target(first.identity)
    info = await target.open()
    await send(target, sample, "a.jpg")

    assert info.identity == first.identity
    assert (await place.target().open()).identity == first.identity  # the marker is adopted
    assert place.files() == {"a.jpg", "mine.txt"}


async def test_marker_missing(place: Place) -> None:
    info = await place.target().open()
    place.remove(MARKER_NAME)

    with pytest.raises(MarkerMissing):
        await place.target(info.identity).open()

    assert place.files() == set()
    assert not place.has_marker


async def test_marker_foreign(place: Place) -> None:
    info = await place.target().open()
    place.write(MARKER_NAME, marker_text("somebody else's").encode())

    with pytest.raises(MarkerForeign):
        await place.target(info.identity).open()


async def test_another_owner_is_refused(place: Place) -> None:
    """Two that keep copies in one place would take each other's files for damaged ones."""
    first = await place.target(TargetIdentity(owner="archive-1")).open()
    marker = place.read(MARKER_NAME)

    with pytest.raises(TargetTaken):
        await place.target(TargetIdentity(owner="archive-2")).open()

    assert place.read(MARKER_NAME) == marker
    again = await place.target(TargetIdentity(owner="archive-1")).open()
    assert again.identity.marker_id == first.identity.marker_id


async def test_mount_vanishes_between_files(folders: Place, tmp_path: Path) -> None:
    place = folders
    target, sample = place.target(), make_sample(tmp_path, 1000)
    await target.open()
    await send(target, sample, "a.jpg")
    place.root.rename(tmp_path / "gone")
    place.root.mkdir()

    with pytest.raises(TargetUnavailableError):
        await send(target, sample, "2024/b.jpg")
    with pytest.raises(TargetUnavailableError):
        await target.prove([ProofRequest("a.jpg", 1000)])
    with pytest.raises(TargetUnavailableError):
        await target.delete("a.jpg")

    assert list(place.root.iterdir()) == []
    assert (tmp_path / "gone" / "a.jpg").exists()


async def test_mount_vanishes_while_sending(folders: Place, tmp_path: Path) -> None:
    place = folders
    target, sample = place.target(), make_sample(tmp_path, 8_000_000)
    await target.open()
    gone = tmp_path / "gone"

    def vanish(_: int) -> None:
        if not gone.exists():
            place.root.rename(gone)
            place.root.mkdir()

    with pytest.raises(TargetUnavailableError):
        await send(target, sample, PATH, on_bytes=vanish)

    assert list(place.root.iterdir()) == []
    assert PATH not in place.files(gone)


async def test_cancelled_while_sending(place: Place, tmp_path: Path) -> None:
    target, sample = place.target(), make_sample(tmp_path, 40_000_000)
    await target.open()
    before = len(asyncio.all_tasks())
    started = asyncio.Event()
    task = asyncio.create_task(send(target, sample, PATH, on_bytes=lambda _: started.set()))
    await started.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert place.files() == set()
    if place.kind != "asyncssh":  # that server's own tasks run on this loop
        assert len(asyncio.all_tasks()) <= before
    delivery = await send(target, sample, PATH)
    assert place.files() == {delivery.path}


async def test_many_at_the_same_time(place: Place, tmp_path: Path) -> None:
    target = place.target()
    samples = {f"d{n % 3}/e/{n}.bin": make_sample(tmp_path, 70_000 + n, n) for n in range(40)}
    await target.open()

    await asyncio.gather(*(send(target, sample, path) for path, sample in samples.items()))
    proofs = await target.prove([ProofRequest(p, s.size) for p, s in samples.items()])

    assert {proof.path: proof.sha256 for proof in proofs} == {
        path: sample.sha256 for path, sample in samples.items()
    }
    assert place.files() == set(samples)


async def test_two_for_one_name(place: Place, tmp_path: Path) -> None:
    target = place.target()
    samples = [make_sample(tmp_path, 800_000, seed) for seed in range(3)]
    await target.open()

    deliveries = await asyncio.gather(*(send(target, sample, PATH) for sample in samples))

    assert len({delivery.path for delivery in deliveries}) == 3
    for sample, delivery in zip(samples, deliveries, strict=True):
        assert place.read(delivery.path) == sample.data


async def test_old_part_files_are_swept(folders: Place) -> None:
    place = folders
    info = await place.target().open()
    old = place.root / "2024" / ".a.jpg.0123456789ab.mp-part"
    old.parent.mkdir()
    old.write_bytes(b"x")
    young = place.root / ".b.jpg.0123456789ab.mp-part"
    young.write_bytes(b"x")
    (place.root / ".hidden-of-others").write_bytes(b"x")
    os.utime(old, (1e9, 1e9))
    os.utime(place.root / ".hidden-of-others", (1e9, 1e9))

    await place.target(info.identity).open()

    left = {".b.jpg.0123456789ab.mp-part", ".hidden-of-others"}
    if place.kind == "folder":  # here the change time counts, which nobody can set back
        left.add("2024/.a.jpg.0123456789ab.mp-part")
    assert place.files() == left


async def test_probe_leaves_only_the_marker(folders: Place) -> None:
    place = folders
    place.root.rmdir()

    info = await probe_target(place.config())

    assert [path.name for path in place.root.iterdir()] == [MARKER_NAME]
    assert info.identity.marker_id


async def test_failed_probe_leaves_nothing(folders: Place) -> None:
    place = folders
    place.root.rmdir()
    place.root.write_text("a file, not a folder")

    with pytest.raises(TargetUnavailableError):
        await probe_target(place.config())

    assert place.root.read_text() == "a file, not a folder"


@pytest.mark.parametrize("kind", FOLDER_KINDS)
async def test_full_disk(kind: str, small_disk: SmallDisk, tmp_path: Path) -> None:
    place = await make_place(kind, small_disk.path / "target")
    try:
        target = place.target()
        info = await target.open()
        sample = make_sample(tmp_path, 15_000_000)
        assert info.free_bytes is not None
        assert info.free_bytes < 21_000_000

        with pytest.raises(TargetFull):  # noticed before anything is written
            await send(place.target(reserve_bytes=10_000_000), sample, PATH)
        filler = small_disk.path / "filler"

        def fill(_: int) -> None:
            if not filler.exists():
                filler.touch()
                os.posix_fallocate(os.open(filler, os.O_WRONLY), 0, 12_000_000)

        with pytest.raises(TargetFull):  # noticed by the write that fails
            await send(target, sample, PATH, on_bytes=fill)
        assert place.files() == set()

        filler.unlink()
        small = make_sample(tmp_path, 1_000_000)
        assert (await send(target, small, PATH)).path == PATH
    finally:
        await end_place(place)


async def test_unknown_identity_is_not_written(place: Place) -> None:
    """A remembered marker is never replaced by a new one, even in an empty folder."""
    with pytest.raises(TargetUnavailableError):
        await place.target(TargetIdentity("0" * 32, None)).open()

    assert place.files() == set()
    assert not place.has_marker
