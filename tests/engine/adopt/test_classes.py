"""Every file ends in one named class, every wanted file as adopted or left; nothing is guessed."""

import os
import time
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.adopt.desk import adopt
from custom_components.media_pipeline.engine.adopt.report import FileClass, Report, Request
from custom_components.media_pipeline.engine.model import RunOutcome, Stage
from tests.engine.harness import make_world, run, stats
from tests.icloud_server.specs import Role

from .trees import OLD, Piece, pieces, write

ASSETS = 10


def classes(report: Report) -> dict[str, str]:
    """Path → class, of the few files that these tests have."""
    found = {path: str(kind) for kind, paths in report.samples.items() for path in paths}
    assert len(found) == report.total()
    return found


def original(files: list[Piece], suffix: str, number: int = 0) -> Piece:
    return [p for p in files if p.role is Role.ORIGINAL and p.suffix == suffix][number]


async def test_every_kind_of_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = tmp_path / "tree"
    with make_world(tmp_path, monkeypatch, ASSETS) as world:
        world.stand_in.control("odd", index=0, what="unknown_checksum")
        files = pieces(world.stand_in, ASSETS)
        jpeg, other_jpeg = original(files, "JPG"), original(files, "JPG", 1)
        heic, film = original(files, "HEIC", 1), original(files, "MOV")
        unknown = next(p for p in files if p.index == 0)
        write(tree / "kept.jpg", jpeg.data)
        write(tree / "kept twice.jpg", jpeg.data)
        flipped = bytearray(other_jpeg.data)
        flipped[len(flipped) // 2] ^= 0xFF
        write(tree / "a" / "as large.jpg", bytes(flipped))
        write(tree / "a" / film.filename, film.data[:-1000])
        write(tree / "a" / f"{heic.stem}-12345.HEIC", heic.data + b"\0")
        write(tree / "a" / "somebody else's.jpg", b"\xff\xd8 of no size that is wanted")
        write(tree / "a" / "unprovable.heic", unknown.data)
        written_now = write(tree / "b" / "arriving.heic", heic.data)
        os.utime(written_now, (time.time(), time.time()))
        write(tree / "b" / "IMG_1.JPG.part", jpeg.data)
        write(tree / "b" / "._IMG_1.JPG", b"AppleDouble")
        write(tree / "b" / "@eaDir" / "IMG_1.JPG", jpeg.data)
        write(tree / "b" / ".hidden" / "IMG_1.JPG", jpeg.data)
        write(tree / "b" / "empty.jpg", b"")
        (tree / "b" / "link.jpg").symlink_to(tree / "kept.jpg")
        (tree / "b" / "loop").symlink_to(tree)
        write(Path(os.fsdecode(os.fsencode(tree / "b") + b"/caf\xe9.jpg")), jpeg.data)
        expected = {
            "kept.jpg": "matched",
            "kept twice.jpg": "spare",
            "a/as large.jpg": "changed",
            f"a/{film.filename}": "changed",
            f"a/{heic.stem}-12345.HEIC": "changed",
            "a/somebody else's.jpg": "other",
            "a/unprovable.heic": "unproven",
            "b/arriving.heic": "changing",
            "b/IMG_1.JPG.part": "ignored",
            "b/._IMG_1.JPG": "ignored",
            "b/empty.jpg": "ignored",
            "b/link.jpg": "ignored",
            "b/loop": "ignored",
            "b/caf?.jpg": "unreadable",
        }
        async with world.core() as core:
            report = await adopt(core, Request(tree), "test")
            found = classes(report)
            first = found.pop("kept.jpg"), found.pop("kept twice.jpg")
            assert sorted(first) == ["matched", "spare"]
            assert found == {k: v for k, v in expected.items() if not k.startswith("kept")}
            assert report.read.files == 3, "two of one size, and the one with other bytes"
            assert (report.adopted.files, report.adopted.bytes) == (1, len(jpeg.data))
            assert report.left.files == len(files) - 1
            assert report.unproven.files == sum(p.index == 0 for p in files)
            done = await adopt(core, Request(tree, dry_run=False), "test")
            assert done.files[FileClass.ADOPTED].files == 1
            assert done.files[FileClass.MATCHED].files == 0
            summary = await run(core, Stage.INGEST)
            assert summary.outcome is RunOutcome.COMPLETED
            assert (await stats(core)).archived == ASSETS
        assert world.stand_in.counts()["content_bytes"] == report.left.bytes
        assert report.left.bytes == sum(len(p.data) for p in files) - len(jpeg.data)


async def test_the_second_look_reads_only_what_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "tree"
    with make_world(tmp_path, monkeypatch, ASSETS) as world:
        files = pieces(world.stand_in, ASSETS)
        for number, piece in enumerate(files):
            write(tree / f"{number}.{piece.suffix}", piece.data)
        async with world.core() as core:
            first = await adopt(core, Request(tree), "test")
            assert first.read.files == len(files)
            touched = tree / f"3.{files[3].suffix}"
            os.utime(touched, (OLD + 60, OLD + 60))
            second = await adopt(core, Request(tree), "test")
            assert (second.read.files, second.read.bytes) == (1, len(files[3].data))
            assert second.adopted == first.adopted
        async with world.core() as core:  # a restart forgets nothing
            third = await adopt(core, Request(tree), "test")
            assert third.read.files == 0


async def test_bytes_that_changed_behind_the_same_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Remembered bytes are a promise that is checked before anything is taken over."""
    tree = tmp_path / "tree"
    with make_world(tmp_path, monkeypatch, 2) as world:
        files = pieces(world.stand_in, 2)
        for number, piece in enumerate(files):
            write(tree / f"{number}.{piece.suffix}", piece.data)
        async with world.core() as core:
            dry = await adopt(core, Request(tree), "test")
            assert dry.adopted.files == len(files)
            write(tree / f"0.{files[0].suffix}", files[0].data[:-1] + b"?")
            report = await adopt(core, Request(tree, dry_run=False), "test")
            assert report.files[FileClass.CHANGED].files == 1
            assert report.adopted.files == len(files) - 1
            assert report.left.files == 1
            assert (await adopt(core, Request(tree), "test")).read.files == 1
            await run(core, Stage.INGEST)
            assert (await stats(core)).archived == 2
        assert world.stand_in.counts()["content_bytes"] == len(files[0].data)


async def test_one_file_for_two_assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = tmp_path / "tree"
    with make_world(tmp_path, monkeypatch, 3) as world:
        files = pieces(world.stand_in, 3)
        for number, piece in enumerate(files):
            write(tree / f"{number}.{piece.suffix}", piece.data)
        world.stand_in.control("duplicate", index=1)
        async with world.core() as core:
            report = await adopt(core, Request(tree, dry_run=False), "test")
            twice = sum(p.index == 1 for p in files)
            assert report.adopted.files == len(files) + twice
            assert report.files[FileClass.ADOPTED].files == len(files)
            assert (await run(core, Stage.INGEST)).outcome is RunOutcome.COMPLETED
            assert (await stats(core)).archived == 4
        assert world.stand_in.counts()["content_bytes"] == 0


async def test_wanted_bytes_of_no_whole_photo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """iCloud itself may hold half a file; its checksum is right and the container is not."""
    tree = tmp_path / "tree"
    with make_world(tmp_path, monkeypatch, 4) as world:
        files = pieces(world.stand_in, 4)
        piece = original(files, "MOV")
        write(tree / "film.mov", piece.data)
        monkeypatch.setattr(
            "custom_components.media_pipeline.engine.media.container._walker", lambda _: None
        )
        async with world.core() as core:
            report = await adopt(core, Request(tree), "test")
            assert classes(report) == {"film.mov": "broken"}
            assert report.adopted.files == 0
