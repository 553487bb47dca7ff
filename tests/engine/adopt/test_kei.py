"""kei's database: where its files lie, in every version; never believed, never touched."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.adopt.desk import adopt
from custom_components.media_pipeline.engine.adopt.report import FileClass, Request
from custom_components.media_pipeline.engine.errors import AdoptDatabaseUnusable
from custom_components.media_pipeline.engine.model import RunOutcome, Stage
from tests.engine.harness import make_world, run

from . import trees
from .trees import Piece, pieces, write

ASSETS = 12


def spread(root: Path, other: Path, files: list[Piece]) -> list[tuple[Path, Piece]]:
    """Every third file lies outside of the download folder."""
    return [
        (
            write(
                (other if number % 3 == 0 else root) / piece.day / f"{number}-{piece.filename}",
                piece.data,
            ),
            piece,
        )
        for number, piece in enumerate(files)
    ]


@pytest.mark.parametrize(("status", "given"), [(True, True), (False, False)])
async def test_files_elsewhere_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: bool, given: bool
) -> None:
    tree, other = tmp_path / "tree", tmp_path / "other"
    with make_world(tmp_path, monkeypatch, ASSETS) as world:
        files = pieces(world.stand_in, ASSETS)
        rows = spread(tree, other, files)
        rows.append((other / "gone.jpg", replace(files[0], index=999)))
        database = (tmp_path if given else tree) / "someone@example.com.db"
        trees.kei_database(database, rows, status=status)
        before = database.read_bytes()
        async with world.core() as core:
            request = Request(tree, kei_database=database if given else None)
            report = await adopt(core, request, "test")
            outside = sum(number % 3 == 0 for number in range(len(files)))
            assert report.kei == {
                "files": len(files) + 1,
                "outside": outside,
                "missing": 1,
                "not_allowed": 0,
            }
            assert report.adopted.files == len(files)
            assert report.tools["kei"] == outside
            done = Request(tree, dry_run=False, kei_database=request.kei_database)
            assert (await adopt(core, done, "test")).adopted.files == len(files)
            assert (await run(core, Stage.INGEST)).outcome is RunOutcome.COMPLETED
        assert world.stand_in.counts()["content_bytes"] == 0
    assert database.read_bytes() == before
    assert [p.name for p in database.parent.glob("*.db*")] == [database.name], "no log beside it"


async def test_what_it_says_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree, other = tmp_path / "tree", tmp_path / "other"
    with make_world(tmp_path, monkeypatch, 3) as world:
        files = pieces(world.stand_in, 3)
        wrong = write(other / files[0].filename, files[0].data[:-1] + b"?")
        secret = write(other / "secret", files[1].data)
        copy = write(tmp_path / "nas" / "2024" / "x.heic", files[2].data)
        (tmp_path / "nas" / ".media_pipeline.json").write_text('{"id": "a target"}')
        write(tree / "readme.txt", b"x")
        rows = [(wrong, files[0]), (secret, files[1]), (copy, files[2])]
        trees.kei_database(tree / "kei.db", rows)
        async with world.core() as core:
            request = Request(tree, may_read=lambda path: path != secret)
            report = await adopt(core, request, "test")
            assert report.adopted.files == 0
            assert report.files[FileClass.CHANGED].files == 1
            assert report.kei["not_allowed"] == 2, "never a target's copy"


async def test_other_databases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One in the tree is somebody else's; one that was given must be kei's."""
    tree = tmp_path / "tree"
    tree.mkdir()
    with closing(sqlite3.connect(tree / "index.db")) as connection, connection:
        connection.execute("CREATE TABLE assets (id, path)")
    write(tree / "broken.db", b"SQLite format 3\0 and nothing else")
    write(tree / "text.db", b"no database")
    with make_world(tmp_path, monkeypatch, 2) as world:
        async with world.core() as core:
            report = await adopt(core, Request(tree), "test")
            assert (report.complete, report.kei) == (True, {})
            for name in ("index.db", "broken.db", "text.db", "nowhere.db"):
                with pytest.raises(AdoptDatabaseUnusable):
                    await adopt(core, Request(tree, kei_database=tree / name), "test")
            assert (await run(core, Stage.INGEST)).outcome is RunOutcome.COMPLETED
