"""The lists of checksums prove the copies without us, and spare what is not ours."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from custom_components.media_pipeline.engine.model import RunOutcome, Stage

from .harness import World, media_files, run
from .years import checked, small_world, spoil, verify, with_nas

NAME = "SHA256SUMS"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with small_world(tmp_path, monkeypatch) as made:
        yield made


def _lists(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob(f"{NAME}*")}


async def test_sha256sum_proves_archive_folder_and_server(world: World) -> None:
    async with with_nas(world) as nas, world.core() as core:
        summary = await run(core)
        assert summary.outcome is RunOutcome.COMPLETED, summary
        for place in (world.archive, world.target, nas):
            ours = [
                path
                for path in place.rglob("*")
                if path.is_file() and not path.name.startswith((".", NAME))
            ]
            assert len(ours) >= 8
            assert checked(place) == len(ours), place
        spoil(media_files(nas)[0])
        with pytest.raises(AssertionError, match="FAILED"):
            checked(nas)


async def test_only_folders_that_changed_are_written(world: World) -> None:
    async with with_nas(world) as nas, world.core() as core:
        await run(core)
        before = {place: _lists(place) for place in (world.archive, world.target, nas)}
        await run(core)
        await verify(core)
        for place, lists in before.items():
            assert _lists(place) == lists, place
        world.stand_in.control("add", count=1)
        await run(core)
        for place, lists in before.items():
            now = _lists(place)
            changed = [path for path, when in now.items() if lists.get(path) != when]
            assert len(changed) == 1, place
            checked(place)


async def test_another_file_of_that_name_is_left_alone(world: World) -> None:
    async with world.core() as core:
        await run(core, Stage.INGEST)
        folder = media_files(world.archive)[0].parent.relative_to(world.archive)
        theirs = "0" * 64 + "  something else\n"
        for place in (world.archive, world.target):
            (place / folder).mkdir(parents=True, exist_ok=True)
            (place / folder / NAME).write_text(theirs)
        await run(core)
        for place in (world.archive, world.target):
            assert (place / folder / NAME).read_text() == theirs
            (ours,) = (place / folder).glob(f"{NAME}~*")
            assert media_files(place / folder)[0].name in ours.read_text()
            (place / folder / NAME).unlink()
            checked(place)


async def test_a_list_that_somebody_changed_is_theirs(world: World) -> None:
    async with world.core() as core:
        await run(core)
        before = _lists(world.target)
        for path in before:
            with path.open("a") as file:
                file.write("0" * 64 + "  a note of mine\n")
        world.stand_in.control("add", count=1)
        await run(core)
        assert all("a note of mine" in path.read_text() for path in before)
        (ours,) = set(_lists(world.target)) - set(before)
        assert "a note of mine" not in ours.read_text()


async def test_a_lost_list_comes_back_when_everything_is_proven(world: World) -> None:
    async with world.core() as core:
        await run(core)
        lists = [*_lists(world.target), *_lists(world.archive)]
        for path in lists:
            path.unlink()
        await run(core)
        assert not any(path.exists() for path in lists), "a nightly run looks at what changed only"
        await verify(core)
        assert all(path.exists() for path in lists)


async def test_an_older_catalogs_list_is_taken_over(world: World) -> None:
    async with world.core() as core:
        await run(core)
    before = _lists(world.target)
    (world.root / "private/catalog.db").unlink()
    async with world.core() as core:
        await run(core)
    assert _lists(world.target).keys() == before.keys(), "no second list beside the first"
    assert checked(world.target)
