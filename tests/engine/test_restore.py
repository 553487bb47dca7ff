"""Fetching back, for good and for practice: proven bytes, from whoever has them, over nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.model import (
    RestoreChoice,
    RestoreReport,
    RestoreRequest,
    Stage,
)
from custom_components.media_pipeline.engine.restore_desk import drill, restore

from .harness import World, hashes, media_files, run
from .years import ask, journal, small_world, spoil, with_nas


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with small_world(tmp_path, monkeypatch) as made:
        yield made


async def _restore(core: Core, folder: Path, limit: int = 1000, **choice: Any) -> RestoreReport:
    folder.mkdir(exist_ok=True)
    request = RestoreRequest(folder, RestoreChoice(**choice), limit, dry_run=False, reserve=0)
    return await restore(core, request, "test")


def _names(folder: Path) -> dict[str, str]:
    return {Path(path).name: sha for path, sha in hashes(folder).items()}


async def test_all_from_the_archive_twice(world: World) -> None:
    folder = world.root / "restored"
    async with world.core() as core:
        await run(core, Stage.INGEST)
        report = await _restore(core, folder)
        assert report.complete
        assert (report.matched, report.assets, report.files, report.restored) == (8, 8, 8, 8)
        assert report.origins == {"archive": 8}
        assert hashes(folder) == hashes(world.archive)
        again = await _restore(core, folder)
        assert (again.restored, again.there) == (0, 8)
        assert not list(folder.rglob("*.mp-part"))


async def test_freed_damaged_and_signed_out_it_comes_from_the_best_target(world: World) -> None:
    folder = world.root / "restored"
    async with with_nas(world) as nas, world.core() as core:
        await run(core)
        right = hashes(world.archive)
        plan, _ = await core.plans.plan(None, "test")
        await core.plans.approve(plan.plan_id, "test")
        await core.plans.execute(plan.plan_id, False, "test")
        struck = media_files(world.archive)
        spoil(struck[0])
        struck[1].unlink()
        spoil(nas / struck[0].relative_to(world.archive))
        spoil(world.target / struck[1].relative_to(world.archive))
        world.stand_in.stop()
        report = await _restore(core, folder)
        assert hashes(folder) == right
        assert report.reasons == {}
        assert report.origins["archive"] == 6
        assert report.origins["disk"] == report.origins["nas"] == 1
        assert await journal(core, "archive_damaged") == 2, "what it met is noted"


async def test_what_nobody_has_is_counted_and_nothing_bad_is_left(world: World) -> None:
    folder = world.root / "restored"
    async with world.core() as core:
        await run(core)
        for place in (world.archive, world.target):
            spoil(media_files(place)[0])
        report = await _restore(core, folder)
        assert report.restored == 7
        assert report.reasons == {"no_good_copy": 1}
        assert len(list(folder.rglob("*.*"))) == 7


async def test_nothing_is_overwritten(world: World) -> None:
    folder = world.root / "restored"
    async with world.core() as core:
        await run(core, Stage.INGEST)
        right = hashes(world.archive)
        name = next(iter(right))
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(b"mine")
        await _restore(core, folder)
        assert (folder / name).read_bytes() == b"mine"
        assert set(hashes(folder).values()) >= set(right.values())


async def test_a_choice(world: World) -> None:
    folder = world.root / "restored"
    async with world.core() as core:
        await run(core, Stage.INGEST)
        rows = await ask(core, "select filename, captured, favorite from assets order by captured")
        dry = await restore(
            core, RestoreRequest(folder, RestoreChoice(), limit=3, dry_run=True), "test"
        )
        assert (dry.matched, dry.assets, dry.restored, dry.origins) == (8, 3, 0, {"archive": 3})
        assert not folder.exists()
        name = rows[2].filename
        report = await _restore(core, folder, filename=name.lower())
        assert _names(folder).keys() == {name}
        assert report.matched == 1
        report = await _restore(core, folder, since=rows[3].captured, until=rows[5].captured)
        assert report.matched == 2
        favorites = sum(row.favorite for row in rows)
        assert (await _restore(core, folder, favorites=True)).matched == favorites
        assert (await _restore(core, folder, filename="img_*.jpg")).matched == 8
        assert (await _restore(core, folder, album="no such album")).matched == 0
        assert (await _restore(core, folder, library="elsewhere")).matched == 0


async def test_a_full_folder_stops_it_by_name(world: World) -> None:
    from custom_components.media_pipeline.engine.errors import RestoreFolderFull

    folder = world.root / "restored"
    folder.mkdir()
    async with world.core() as core:
        await run(core, Stage.INGEST)
        request = RestoreRequest(folder, RestoreChoice(), 10, dry_run=False, reserve=1 << 60)
        with pytest.raises(RestoreFolderFull):
            await restore(core, request, "test")
        assert media_files(folder) == []


async def test_a_drill_scores_and_finds_what_rots(world: World) -> None:
    async with with_nas(world) as nas, world.core() as core:
        await run(core)
        results = await drill(core, 5, 60, "test")
        assert {key: (one.files, one.score) for key, one in results.items()} == {
            "disk": (5, 100.0),
            "nas": (5, 100.0),
        }
        for path in media_files(nas):
            spoil(path)
        results = await drill(core, 3, 60, "test")
        assert (results["disk"].score, results["nas"].score) == (100.0, 0.0)
        assert results["nas"].error == "copy_mismatch"
        status = (await core.board.refresh()).targets
        assert (status["nas"].drill_score, status["disk"].drill_score) == (0.0, 100.0)
        assert status["nas"].last_drill is not None
        assert await journal(core, "copy_lost") == 3, "what failed was proven again"
        types = [event.type for event in world.events]
        assert types.count("drill_passed") == 3
        assert types.count("drill_failed") == 1
        assert not (world.archive / ".media_pipeline/drill").exists()


async def test_a_drill_ends_in_time(world: World) -> None:
    async with world.core() as core:
        await run(core)
        results = await drill(core, 5, 0, "test")
        assert results["disk"].files == 0
        assert results["disk"].score is None
