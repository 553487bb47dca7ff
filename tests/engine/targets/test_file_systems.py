"""Folder targets on real file systems that differ from the usual one."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.errors import SourceFileChanged
from custom_components.media_pipeline.engine.targets import local_files
from custom_components.media_pipeline.engine.targets.base import ProofRequest
from tests.support.disks import DiskImage

from .place import Place, make_sample, send

PATH = "2024/05/IMG_0001.HEIC"


def mounted(kind: str, path: Path) -> DiskImage:
    disk = DiskImage(path, kind)
    if not disk.mount():
        disk.unmount()
        pytest.skip(f"{kind} can't be mounted: not permitted, or scripts/setup --all was not run")
    return disk


@pytest.fixture
def btrfs(tmp_path: Path) -> Iterator[Path]:
    disk = mounted("btrfs", tmp_path / "btrfs")
    yield disk.path
    disk.unmount()


@pytest.fixture
def ntfs(tmp_path: Path) -> Iterator[Path]:
    disk = mounted("ntfs", tmp_path / "ntfs")
    yield disk.path
    disk.unmount()


def used(path: Path) -> int:
    os.sync()
    info = os.statvfs(path)
    return (info.f_blocks - info.f_bfree) * info.f_frsize


async def test_blocks_are_shared_inside_one_file_system(btrfs: Path) -> None:
    place = Place("folder", btrfs / "target")
    sample = make_sample(btrfs, 60_000_000)
    target = place.target()
    await target.open()
    before, counts = used(btrfs), list[int]()

    await send(target, sample, PATH, on_bytes=counts.append)
    [proof] = await target.prove([ProofRequest(PATH, sample.size)])

    assert proof.sha256 == sample.sha256
    assert sum(counts) == sample.size
    assert used(btrfs) - before < 10_000_000
    await place.close()


async def test_a_changed_source_is_not_shared(btrfs: Path) -> None:
    place = Place("folder", btrfs / "target")
    sample = make_sample(btrfs, 5_000_000)
    with sample.path.open("r+b") as file:
        file.write(b"changed")
    target = place.target()
    await target.open()

    with pytest.raises(SourceFileChanged):
        await send(target, sample, PATH)

    assert place.files() == set()
    await place.close()


async def test_the_kernel_copies_where_blocks_can_not_be_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on NFS and SMB, where the server does it."""
    written: list[int] = []
    real = local_files.write_all

    def write_all(fd: int, data: bytes) -> None:
        written.append(len(data))
        real(fd, data)

    monkeypatch.setattr(local_files, "write_all", write_all)
    place, sample = Place("folder", tmp_path / "target"), make_sample(tmp_path, 3_000_001)
    target = place.target()
    await target.open()
    written.clear()

    await send(target, sample, PATH)

    assert place.read(PATH) == sample.data
    assert written == []
    await place.close()


async def test_upper_and_lower_case_are_one_name(ntfs: Path, tmp_path: Path) -> None:
    place = Place("folder", ntfs / "target")
    ours, other = make_sample(tmp_path, 40_000, seed=1), make_sample(tmp_path, 40_000, seed=2)
    target = place.target()
    await target.open()
    place.write("2024/05/img_0001.heic", b"foreign")

    first = await send(target, ours, PATH)
    second = await send(target, other, PATH.lower())
    proofs = await target.prove([ProofRequest(first.path, 0), ProofRequest(second.path, 0)])

    assert place.read("2024/05/img_0001.heic") == b"foreign"
    assert [proof.sha256 for proof in proofs] == [ours.sha256, other.sha256]
    assert len({name.casefold() for name in place.files()}) == 3
    assert (await send(target, ours, PATH.lower())).already_there
    await place.close()
