"""Where the tree lies: in the archive, beside it, on another file system."""

import os
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, update

from custom_components.media_pipeline.engine.adopt.desk import adopt
from custom_components.media_pipeline.engine.adopt.report import FileClass, Mode, Request, Way
from custom_components.media_pipeline.engine.adopt.tree import check_root
from custom_components.media_pipeline.engine.catalog.schema import journal, resources
from custom_components.media_pipeline.engine.errors import (
    AdoptFolderEmpty,
    AdoptFolderInUse,
    AdoptFolderMissing,
    AdoptFolderNotReadable,
    AdoptOtherFileSystem,
    PermanentError,
)
from custom_components.media_pipeline.engine.model import RunOutcome, Stage
from tests.engine.harness import SHARED_MEMORY, World, hashes, make_world, run, stats

from . import trees
from .trees import pieces, write

ASSETS = 6


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch, ASSETS) as made:
        made.config()  # makes the archive
        yield made


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="mp-tree-", dir=SHARED_MEMORY))
    yield folder
    shutil.rmtree(folder)


def paths_of(connection: Connection) -> dict[str, str]:
    """Path in the archive by Apple's checksum."""
    rows = connection.execute(
        select(resources.c.checksum, resources.c.path).where(resources.c.checksum.is_not(None))
    )
    return {row.checksum: row.path for row in rows}


async def test_in_place_nothing_moves(world: World) -> None:
    files = pieces(world.stand_in, ASSETS)
    tree = world.archive / "icloudpd"
    trees.icloudpd(tree, files[1:])
    composed = unicodedata.normalize("NFD", f"Grüße.{files[0].suffix}")
    write(tree / composed, files[0].data)
    before = {p: p.stat().st_ino for p in tree.rglob("*") if p.is_file()}
    async with world.core() as core:
        report = await adopt(core, Request(tree, dry_run=False), "test")
        assert report.way is Way.IN_PLACE
        assert report.adopted.files == len(files)
        paths = await core.catalog.read(paths_of)
        assert paths[files[0].checksum] == f"icloudpd/{composed}"
        assert all(path.startswith("icloudpd/") for path in paths.values())
        now = {p: p.stat().st_ino for p in tree.rglob("*") if p.is_file()}
        assert before.items() <= now.items()
        assert {p.suffix for p in now.keys() - before} == {".xmp"}, "sidecars of ours alone"
        again = await adopt(core, Request(world.archive), "test")
        assert again.files[FileClass.ARCHIVED].files >= len(files)
        assert not again.adopted.files
        summary = await run(core)
        assert summary.outcome is RunOutcome.COMPLETED
        assert (await stats(core)).protected == ASSETS
    assert world.stand_in.counts()["content_bytes"] == 0


async def test_a_name_that_no_target_takes_gets_a_second_one(world: World) -> None:
    piece = pieces(world.stand_in, ASSETS)[0]
    odd = write(world.archive / "old" / f"what: now?.{piece.suffix}", piece.data)
    async with world.core() as core:
        report = await adopt(core, Request(odd.parent, dry_run=False), "test")
        assert report.adopted.files == 1
        path = (await core.catalog.read(paths_of))[piece.checksum]
        assert not path.startswith("old/")
        assert (world.archive / path).stat().st_ino == odd.stat().st_ino


async def test_a_link_shares_the_file_and_keeps_its_date(world: World, tmp_path: Path) -> None:
    piece = pieces(world.stand_in, ASSETS)[0]
    mine = write(tmp_path / "tree" / "x.heic", piece.data)
    then = mine.stat().st_mtime_ns
    async with world.core() as core:
        report = await adopt(core, Request(tmp_path / "tree", dry_run=False), "Paula")
        assert report.way is Way.LINK
        path = world.archive / (await core.catalog.read(paths_of))[piece.checksum]
        assert path.stat().st_ino == mine.stat().st_ino
        assert mine.stat().st_mtime_ns == then
        entry = await core.catalog.read(
            lambda c: c.execute(select(journal).where(journal.c.action == "adopted")).one()
        )
        assert entry.actor == "Paula"
    assert not list((world.archive / ".media_pipeline" / "parts").iterdir())


async def test_a_link_that_is_written_into_is_found_out(world: World, tmp_path: Path) -> None:
    """What the documentation promises of hard links: noticed by verify, fetched again."""
    files = pieces(world.stand_in, ASSETS)
    mine = write(tmp_path / "tree" / "x.heic", files[0].data)
    async with world.core() as core:
        await adopt(core, Request(tmp_path / "tree", dry_run=False), "test")
        await run(core, Stage.INGEST)
        fetched = world.stand_in.counts()["content_bytes"]
        with mine.open("r+b") as file:
            file.write(b"dates written in")
        await core.catalog.write(lambda c: c.execute(update(resources).values(proven_at=1)))
        await run(core, Stage.VERIFY)
        await run(core, Stage.INGEST)
        path = world.archive / (await core.catalog.read(paths_of))[files[0].checksum]
        assert path.read_bytes() == files[0].data
        assert (await stats(core)).archived == ASSETS
    assert world.stand_in.counts()["content_bytes"] == fetched + len(files[0].data)
    assert mine.read_bytes().startswith(b"dates written in"), "what is the user's stays so"


async def test_a_copy_is_a_file_of_its_own(world: World, elsewhere: Path) -> None:
    files = pieces(world.stand_in, ASSETS)
    trees.icloudpd(elsewhere, files)
    async with world.core() as core:
        dry = await adopt(core, Request(elsewhere), "test")
        assert (dry.way, dry.adopted.files) == (Way.NONE, len(files))
        with pytest.raises(AdoptOtherFileSystem):
            await adopt(core, Request(elsewhere, dry_run=False), "test")
        assert not hashes(world.archive)
        assert (await adopt(core, Request(elsewhere, Mode.COPY), "test")).way is Way.COPY
        report = await adopt(core, Request(elsewhere, Mode.COPY, dry_run=False), "test")
        assert report.adopted.files == len(files)
        kept = hashes(world.archive)
        for path in elsewhere.rglob("*.*"):
            path.write_bytes(b"overwritten")
        assert hashes(world.archive) == kept
        assert (await run(core, Stage.INGEST)).outcome is RunOutcome.COMPLETED
    assert world.stand_in.counts()["content_bytes"] == 0


async def test_what_lies_at_the_place_already(world: World, tmp_path: Path) -> None:
    """Foreign bytes stay and the photo gets another name; the same bytes serve."""
    files = pieces(world.stand_in, ASSETS)
    trees.by_hand(tmp_path / "tree", files)
    async with world.core() as core:
        await adopt(core, Request(tmp_path / "tree"), "test")  # lists, so that places are known
        captured = {p.checksum: p for p in files}
        first, second = (p for p in files if p.role == "resOriginal" and p.index in {0, 1})
        folder = f"{first.day[:7]}"
        foreign = write(world.archive / folder / first.filename, b"mine")
        same = write(world.archive / second.day[:7] / second.filename, second.data)
        report = await adopt(core, Request(tmp_path / "tree", dry_run=False), "test")
        assert report.adopted.files == len(files)
        paths = await core.catalog.read(paths_of)
        assert foreign.read_bytes() == b"mine"
        assert paths[first.checksum] != f"{folder}/{first.filename}"
        assert world.archive / paths[second.checksum] == same
        for checksum, path in paths.items():
            assert (world.archive / path).read_bytes() == captured[checksum].data


async def test_folders_that_are_refused(world: World, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write(tmp_path / "file", b"x")
    foreign = tmp_path / "their archive"
    write(foreign / "2024" / "x.jpg", b"x")
    (foreign / ".media_pipeline.json").write_text('{"id": "another"}')
    cases: list[tuple[Path, type[PermanentError]]] = [
        (tmp_path / "nowhere", AdoptFolderMissing),
        (tmp_path / "file", AdoptFolderMissing),
        (Path("relative"), AdoptFolderMissing),
        (tmp_path / "empty", AdoptFolderEmpty),
        (world.target, AdoptFolderInUse),
        (world.target.parent, AdoptFolderInUse),
        (world.root / "private", AdoptFolderInUse),
        (foreign, AdoptFolderInUse),
        (foreign / "2024", AdoptFolderInUse),
    ]
    async with world.core() as core:
        for folder, error in cases:
            with pytest.raises(error) as caught:
                await adopt(core, Request(folder), "test")
            assert caught.value.placeholders["path"]
        assert not await core.catalog.read(paths_of) or not hashes(world.archive)


async def test_targets_below_the_tree_are_not_entered(world: World, tmp_path: Path) -> None:
    """A copy on a target and the archive must never be one file."""
    piece = pieces(world.stand_in, ASSETS)[0]
    write(tmp_path / "tree" / "nas" / "x.heic", piece.data)
    (tmp_path / "tree" / "nas" / ".media_pipeline.json").write_text('{"id": "another"}')
    write(tmp_path / "tree" / "readme.txt", b"x")
    async with world.core() as core:
        report = await adopt(core, Request(tmp_path / "tree"), "test")
        assert report.total() == 1


def test_a_folder_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # tests may run as root
    with pytest.raises(AdoptFolderNotReadable):
        check_root(tmp_path, archive_id=None, apart_from=())
