"""What every target promises about its place: the marker, a mount that vanishes, a full disk."""

import os
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.errors import (
    MarkerForeign,
    MarkerMissing,
    TargetFull,
    TargetTaken,
    TargetUnavailableError,
)
from custom_components.media_pipeline.engine.marker import MARKER_NAME, marker_text
from custom_components.media_pipeline.engine.targets.base import ProofRequest, TargetIdentity
from custom_components.media_pipeline.engine.targets.registry import probe_target
from tests.support.disks import SmallDisk

from .conftest import FOLDER_KINDS, end_place, make_place
from .place import PATH, Place, make_sample, send


async def test_info(place: Place) -> None:
    info = await place.target().open()

    assert info.identity.marker_id
    assert bool(info.free_bytes) == place.tells_space
    assert not info.off_machine  # everything here lies on this machine
    assert info.remote_hash == place.remote_hash
    assert info.domain.startswith(place.domain)
    assert (await place.target(off_machine=True).open()).off_machine


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


async def test_unknown_identity_is_not_written(place: Place) -> None:
    """A remembered marker is never replaced by a new one, even in an empty folder."""
    with pytest.raises(TargetUnavailableError):
        await place.target(TargetIdentity("0" * 32, None)).open()

    assert place.files() == set()
    assert not place.has_marker


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
