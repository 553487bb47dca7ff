"""The test of a target: what works, what does not, and that nothing of it stays."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from custom_components.media_pipeline.engine.marker import MARKER_NAME
from custom_components.media_pipeline.engine.targets import local_files
from custom_components.media_pipeline.engine.targets.trial import CAPABILITIES, Finding, try_out
from tests.support.disks import SmallDisk

from .place import Place


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.capability: finding for finding in findings}


async def test_every_capability(place: Place, tmp_path: Path) -> None:
    (private := tmp_path / "private").mkdir()

    findings = await try_out(place.target(), private)

    assert [finding.capability for finding in findings] == list(CAPABILITIES)
    assert [finding.error for finding in findings if finding.error] == []
    found = by_name(findings)
    works = {name for name, finding in found.items() if finding.works}
    assert set(CAPABILITIES) - works <= {"other_machine", "free_space"}
    assert isinstance(speed := found["write"].value, float)
    assert speed > 0
    assert place.files() == set()
    assert list(private.iterdir()) == []


async def test_a_target_that_is_away(folder: Place, tmp_path: Path) -> None:
    info = await folder.target().open()
    folder.remove(MARKER_NAME)

    findings = await try_out(folder.target(info.identity), tmp_path)

    assert [(f.capability, f.works, f.error) for f in findings] == [
        ("connect", False, "marker_missing")
    ]


async def test_a_disk_that_is_full(small_disk: SmallDisk, tmp_path: Path) -> None:
    place = Place("folder", small_disk.path / "target")
    await place.target().open()
    filler = os.open(small_disk.path / "filler", os.O_WRONLY | os.O_CREAT)
    os.posix_fallocate(filler, 0, 17_000_000)
    os.close(filler)

    found = by_name(await try_out(place.target(), tmp_path))

    assert (found["write"].works, found["write"].error) == (False, "target_full")
    assert "prove" not in found
    assert place.files() == set()


async def test_a_disk_that_spoils_what_it_is_given(
    folder: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = local_files.write_all

    def spoil(fd: int, data: bytes) -> None:
        real(fd, data if len(data) < 1000 else b"\0" + bytes(data[1:]))

    monkeypatch.setattr(local_files, "write_all", spoil)
    monkeypatch.setattr(local_files, "copy_inside", lambda *_: False)

    found = by_name(await try_out(folder.target(), tmp_path))

    assert found["write"].works
    assert (found["prove"].works, found["prove"].error) == (False, "copy_mismatch")
    assert (found["bring_back"].works, found["bring_back"].error) == (False, "copy_mismatch")
    assert found["know_again"].works is False
    assert folder.files() == set()


async def test_names_that_are_refused(
    folder: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def refuse(path: Any, *args: Any, **more: Any) -> int:
        if isinstance(path, str) and not path.isascii():
            raise OSError(errno.EILSEQ, "no such letters here")
        return real(path, *args, **more)

    monkeypatch.setattr(os, "open", refuse)

    found = by_name(await try_out(folder.target(), tmp_path))

    assert (found["names"].works, found["names"].error) == (False, "name_refused")
    assert found["delete"].works
    assert folder.files() == set()
