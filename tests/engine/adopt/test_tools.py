"""The story: a tree of each known tool is taken over, and the next run fetches only the rest."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.adopt.desk import adopt
from custom_components.media_pipeline.engine.adopt.report import FileClass, Request, Way
from custom_components.media_pipeline.engine.model import RunOutcome, Stage
from tests.engine.harness import hashes, make_world, run, stats
from tests.icloud_server.specs import Role

from . import trees
from .trees import Piece, pieces

type Layout = Callable[[Path, Iterable[Piece]], None]

ASSETS = 20


def fingerprints(root: Path) -> dict[str, tuple[bytes, int]]:
    """Every file of a tree: bytes and time of change; links as where they lead."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_symlink():
            found[str(path)] = (str(path.readlink()).encode(), 0)
        elif path.is_file():
            found[str(path)] = (path.read_bytes(), path.stat().st_mtime_ns)
    return found


@pytest.mark.parametrize(
    ("layout", "tool"),
    [
        (trees.icloudpd, "icloudpd"),
        (trees.icloud_docker, "icloud_docker"),
        (trees.icloud_photos_sync, "icloud_photos_sync"),
        (trees.by_hand, "other"),
    ],
)
async def test_nothing_is_fetched_of_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: Layout, tool: str
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    with make_world(tmp_path, monkeypatch, ASSETS) as world:
        files = pieces(world.stand_in, ASSETS)
        assert {piece.role for piece in files} >= {
            Role.ALTERNATIVE, Role.MOTION, Role.EDITED, Role.EDITED_VIDEO, Role.SIDECAR
        }  # fmt: skip
        layout(tree, files)
        before = fingerprints(tree)
        size = sum(len(piece.data) for piece in files)
        async with world.core() as core:
            dry = await adopt(core, Request(tree), "test")
            assert dry.complete
            assert (dry.adopted.files, dry.adopted.bytes) == (len(files), size)
            assert dry.left.files == 0
            assert dry.way is Way.LINK
            assert dry.tools[tool] >= len(files)
            assert not hashes(world.archive), "a dry run writes nothing"
            report = await adopt(core, Request(tree, dry_run=False), "test")
            assert report.complete
            assert (report.adopted.files, report.left.files) == (len(files), 0)
            assert report.read.files == 0, "what the dry run read is remembered"
            assert (await stats(core)).archived == ASSETS
            summary = await run(core, Stage.INGEST)
            assert summary.outcome is RunOutcome.COMPLETED
            again = await adopt(core, Request(tree), "test")
            assert again.read.files == 0
            assert again.files[FileClass.ARCHIVED].files >= len(files)
            assert again.files.keys() <= {
                FileClass.ARCHIVED,
                FileClass.OTHER,
                FileClass.IGNORED,
            }
        assert world.stand_in.counts()["content_bytes"] == 0
        archived = hashes(world.archive)
    wanted = sorted(hashlib.sha256(piece.data).hexdigest() for piece in files)
    media = [value for name, value in archived.items() if not name.endswith(".xmp")]
    assert sorted(media) == wanted
    assert fingerprints(tree) == before, "the tree is the user's"
