"""Folder targets: file systems that lack things, vanish or break."""

import asyncio
import errno
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from custom_components.media_pipeline.engine.errors import (
    DeviceChanged,
    MarkerMissing,
    TargetPathMissing,
    TargetReadOnly,
)
from custom_components.media_pipeline.engine.marker import MARKER_NAME
from custom_components.media_pipeline.engine.targets import local_files
from custom_components.media_pipeline.engine.targets.base import ProofRequest
from custom_components.media_pipeline.engine.targets.registry import probe_target
from tests.support.disks import SmallDisk

from .place import Place, make_sample, send

PATH = "2024/05/IMG_0001.HEIC"


async def test_no_hard_links(
    folder: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    target, sample = folder.target(), make_sample(tmp_path, 1000)
    await target.open()
    (folder.root / "foreign.jpg").write_text("foreign")

    await send(target, sample, "a.jpg")
    tagged = await send(target, sample, "foreign.jpg")

    assert folder.files() == {"a.jpg", "foreign.jpg", tagged.path}
    assert (folder.root / "foreign.jpg").read_text() == "foreign"


async def test_no_directory_flush_and_no_times(
    folder: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def fsync(fd: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{fd}"):
            raise OSError(errno.EINVAL, "not for directories")
        real(fd)

    def utime(*_: Any, **__: Any) -> None:
        raise OSError(errno.EPERM, "no times")

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "utime", utime)
    target, sample = folder.target(), make_sample(tmp_path, 1000)
    await target.open()

    await send(target, sample, PATH)

    assert folder.files() == {PATH}


async def test_failing_flush_publishes_nothing(
    folder: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, sample = folder.target(), make_sample(tmp_path, 1000)
    await target.open()
    (folder.root / "2024/05").mkdir(parents=True)

    def fsync(_: int) -> None:
        raise OSError(errno.EDQUOT, "quota")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(Exception, match="quota") as caught:
        await send(target, sample, PATH)

    assert getattr(caught.value, "key", None) == "target_full"
    assert folder.files() == set()


async def test_unreadable_file_is_no_copy(
    folder: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, sample = folder.target(), make_sample(tmp_path, 1000)
    await target.open()
    await send(target, sample, PATH)

    def broken(*_: Any) -> int:
        raise OSError(errno.EIO, "bad sector")

    monkeypatch.setattr(os, "readv", broken)
    [proof] = await target.prove([ProofRequest(PATH, 1000)])

    assert (proof.sha256, proof.size) == (None, 1000)


async def test_links_are_not_followed(folder: Place, tmp_path: Path) -> None:
    target, sample = folder.target(), make_sample(tmp_path, 1000)
    await target.open()
    (folder.root / "a.jpg").symlink_to(sample.path)

    [proof] = await target.prove([ProofRequest("a.jpg", 1000)])
    delivery = await send(target, sample, "a.jpg", replace=True)

    assert proof.sha256 is None
    assert delivery.path != "a.jpg"
    assert sample.path.exists()


async def test_only_the_last_folder_is_made(folder: Place) -> None:
    with pytest.raises(TargetPathMissing):
        await probe_target(folder.config(path=folder.root / "not-mounted" / "photos"))

    assert list(folder.root.iterdir()) == []


async def test_real_mount_goes_away(small_disk: SmallDisk, tmp_path: Path) -> None:
    place = Place("folder", small_disk.path)
    target, sample = place.target(), make_sample(tmp_path, 1000)
    info = await target.open()
    await send(target, sample, "a.jpg")
    small_disk.unmount()

    with pytest.raises(MarkerMissing):
        await send(target, sample, "b.jpg")
    with pytest.raises(MarkerMissing):
        await place.target(info.identity).open()

    assert list(small_disk.path.iterdir()) == []
    await place.close()


async def test_real_mount_goes_away_while_sending(small_disk: SmallDisk, tmp_path: Path) -> None:
    place = Place("folder", small_disk.path)
    target, sample = place.target(), make_sample(tmp_path, 15_000_000)
    await target.open()

    with pytest.raises(MarkerMissing):
        await send(target, sample, PATH, on_bytes=lambda _: small_disk.unmount())

    assert list(small_disk.path.iterdir()) == []
    await place.close()


async def test_another_disk_with_a_copied_marker(small_disk: SmallDisk, tmp_path: Path) -> None:
    place = Place("folder", small_disk.path)
    info = await place.target().open()
    shutil.copy(small_disk.path / MARKER_NAME, tmp_path)
    small_disk.unmount()
    shutil.copy(tmp_path / MARKER_NAME, small_disk.path)

    with pytest.raises(DeviceChanged):
        await place.target(info.identity).open()

    await place.close()


async def test_read_only_disk(small_disk: SmallDisk, tmp_path: Path) -> None:
    place = Place("folder", small_disk.path)
    target, sample = place.target(), make_sample(tmp_path, 1000)
    info = await target.open()
    small_disk.read_only()

    with pytest.raises(TargetReadOnly):
        await send(target, sample, PATH)
    with pytest.raises(TargetReadOnly):
        await place.target(info.identity).open()
    with pytest.raises(TargetReadOnly):
        await probe_target(place.config(path=small_disk.path))

    await place.close()


async def test_forgotten_part_files(
    folder: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = await folder.target().open()
    part = folder.root / "2024" / ".a.jpg.0123456789ab.mp-part"
    part.parent.mkdir()
    part.write_bytes(b"x")
    (folder.root / "a.jpg").write_bytes(b"x")
    now = time.time() + 8 * 86400
    monkeypatch.setattr(local_files.time, "time", lambda: now)

    await folder.target(info.identity).open()

    assert folder.files() == {"a.jpg"}


async def test_used_again_after_close(folder: Place, tmp_path: Path) -> None:
    target, sample = folder.target(), make_sample(tmp_path, 10)
    await target.open()
    await target.close()
    await target.close()

    await send(target, sample, "a.jpg")

    assert folder.files() == {"a.jpg"}


async def test_the_limit_is_kept_by_all_files_together(folder: Place, tmp_path: Path) -> None:
    target = folder.target(bandwidth=1_000_000)
    await target.open()
    samples = [make_sample(tmp_path, 400_000, seed) for seed in (1, 2, 3)]
    began = time.monotonic()
    await asyncio.gather(
        *(send(target, sample, f"2024/05/{seed}.jpg") for seed, sample in enumerate(samples))
    )
    # 1.2 s, less the quarter second that may be made up for
    assert 0.9 < time.monotonic() - began < 5
