"""Every kind of lie about a file's bytes: caught, put aside, explained, and mended afterwards."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from custom_components.media_pipeline.engine.catalog import failures
from custom_components.media_pipeline.engine.clock import now_ms
from custom_components.media_pipeline.engine.model import RunOutcome, Stage
from custom_components.media_pipeline.engine.stages import download

from .harness import World, make_world, media_files, refusals, run
from .truth import missing_files, wrong_files

HTML = "<!DOCTYPE html><html><body>Service Unavailable</body></html>"
JSON = '{"error": "internal", "code": 500}'
ASSETS = 12
# a photo, the video of a Live Photo and an edited photo, by what their addresses hold
STRUCK = (r"\.2\.resOriginal\.", r"\.0\.resOriginalVidCompl\.", r"\.1\.resJPEGFull\.")


@dataclass(frozen=True, slots=True)
class Lie:
    """What is wrong with the answers, and the reason that a person is given."""

    fault: dict[str, Any]
    reason: str | None
    """None when it is seen through and the file arrives all the same."""
    first: dict[str, Any] = field(default_factory=dict)
    """A fault before it, once: only after a cut is a range asked for."""


CUT = {"cut_after": 4000, "times": 1}
LIES = {
    "changed byte": Lie({"flip": 3000}, "checksum_mismatch"),
    "end of zeros": Lie({"zeros_from": 3000}, "checksum_mismatch"),
    "bytes of another asset": Lie({"other": 1}, "length_mismatch"),
    "bytes of another asset, as long": Lie({"other": 8}, "checksum_mismatch"),
    "short body": Lie({"truncate_at": 3000}, "length_mismatch"),
    "empty body": Lie({"truncate_at": 0}, "length_mismatch"),
    "long body": Lie({"pad": 100}, "length_mismatch"),
    "compressed body": Lie({"gzip": True}, "encoded_body"),
    "JSON": Lie({"json": {"error": "internal"}}, "error_body"),
    "JSON said to be a photo": Lie({"text": JSON, "content_type": "image/jpeg"}, "error_body"),
    "JSON, as long": Lie({"text": JSON, "same_length": True}, "error_body"),
    "HTML": Lie({"html": HTML}, "error_body"),
    "HTML said to be bytes": Lie({"text": HTML}, "error_body"),
    "HTML, as long": Lie({"text": HTML, "same_length": True}, "error_body"),
    "HTML, as long, said so": Lie(
        {"text": HTML, "same_length": True, "content_type": "text/html"}, "error_body"
    ),
    "all instead of a range": Lie({"ignore_range": True}, None, CUT),
    "another range": Lie({"shift_range": 5}, None, CUT),
    "range of a longer file": Lie({"wrong_total": 7}, None, CUT),
    "not there": Lie({"status": 404}, "file_vanished"),
}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(failures, "BACK_OFF", (0, 0, 0, 0, 0))  # all tries in one run
    monkeypatch.setattr(download, "_PAUSE", 0.05)
    with make_world(
        tmp_path,
        monkeypatch,
        assets=ASSETS,
        kinds="live_jpeg,edited",
        real=0,
        photo_bytes=8000,
        video_bytes=8000,
    ) as made:
        yield made


def _files(world: World, error: str) -> list[tuple[str, str | None]]:
    with closing(sqlite3.connect(world.root / "private/catalog.db")) as database:
        return database.execute(f"select state, error from resources where {error}").fetchall()  # noqa: S608


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
async def test_a_lie_is_caught_explained_and_mended(world: World, lie: Lie) -> None:
    for about in STRUCK:
        for fault in (lie.first, lie.fault):
            if fault:
                world.stand_in.fault("content", path=about, **fault)
    async with world.core() as core:
        summary = await run(core)
        assert wrong_files(world.stand_in, world.archive) == 0
        if lie.reason is None:
            assert summary.outcome is RunOutcome.COMPLETED, summary
            assert missing_files(world.stand_in, world.archive) == 0
            return
        assert summary.outcome is RunOutcome.COMPLETED_WITH_PROBLEMS
        assert missing_files(world.stand_in, world.archive) == 3
        assert _files(world, "state != 'archived'") == [("quarantined", lie.reason)] * 3
        reasons = await refusals(core)
        assert reasons["quarantined"] == 3
        assert [
            (file.stage, file.reason, (file.next_attempt or 0) > now_ms())
            for file in await core.quarantine(10)
        ] == [(Stage.INGEST, lie.reason, True)] * 3
        assert not list((world.archive / ".media_pipeline/parts").iterdir())

        world.stand_in.control("clear_faults")
        assert await core.retry_quarantined("test") == 3
        summary = await run(core, Stage.INGEST)
        assert summary.outcome is RunOutcome.COMPLETED, summary
        assert wrong_files(world.stand_in, world.archive) == 0
        assert missing_files(world.stand_in, world.archive) == 0


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"zeros_from": 3000}, "broken_container"),
        ({"truncate_at": 3000}, "length_mismatch"),
        ({"text": HTML, "same_length": True}, "error_body"),
        ({"text": "no media at all", "same_length": True}, "broken_container"),
    ],
)
async def test_without_a_checksum_length_and_container_still_tell(
    world: World, fault: dict[str, Any], reason: str
) -> None:
    world.stand_in.control("odd", index=0, what="unknown_checksum")
    world.stand_in.fault("content", path=r"\.0\.resOriginal\.", **fault)
    async with world.core() as core:
        await run(core, Stage.INGEST)
        assert _files(world, "state != 'archived'") == [("quarantined", reason)]
        assert wrong_files(world.stand_in, world.archive) == 0


async def test_an_unknown_checksum_is_archived_marked_and_never_freed(world: World) -> None:
    world.stand_in.control("odd", index=0, what="unknown_checksum")
    async with world.core() as core:
        summary = await run(core)
        assert summary.outcome is RunOutcome.COMPLETED, summary
        assert missing_files(world.stand_in, world.archive) == 0
        assert _files(world, "role = 'original' and not checksum_known") == [("archived", None)]
        assert await refusals(core) == {"unknown_checksum": 1}
        plan, _ = await core.plans.plan(None, "test")
        assert plan.assets == ASSETS - 1
        await core.plans.approve(plan.plan_id, "test")
        await core.plans.execute(plan.plan_id, False, "test")
        assert world.stand_in.assets()[0]["recordName"] not in world.trashed()
        assert len(world.trashed()) == ASSETS - 1


async def test_a_checksum_that_becomes_unknown_after_the_plan_stops_the_delete(
    world: World,
) -> None:
    async with world.core() as core:
        await run(core)
        plan, _ = await core.plans.plan(3, "test")
        await core.plans.approve(plan.plan_id, "test")
        oldest = len(world.stand_in.assets()) - 1
        world.stand_in.control("odd", index=oldest, what="unknown_checksum")
        _, refused = await core.plans.execute(plan.plan_id, False, "test")
        assert sum(refused.values()) == 1
        assert world.stand_in.assets()[oldest]["recordName"] not in world.trashed()
        assert len(world.trashed()) == 2


async def test_a_broken_network_and_throttling_never_put_a_file_aside(world: World) -> None:
    """Also not together with one bad body: only a file's own bytes count against it."""
    world.stand_in.fault("content", path=r"\.0\.resOriginal\.", drop=True, times=40)
    async with world.core() as core:
        for _ in range(3):
            await run(core, Stage.INGEST)
            assert "quarantined" not in {state for state, _ in _files(world, "true")}
        world.stand_in.control("clear_faults")
        world.stand_in.fault(
            "content", status=429, headers={"Retry-After": "1"}, times=3, path=r"\.0\.resOriginal\."
        )
        world.stand_in.fault("content", path=r"\.0\.resOriginal\.", skip=3, times=1, flip=3000)
        summary = await run(core, Stage.INGEST)
        assert summary.outcome is RunOutcome.COMPLETED, summary
        assert media_files(world.archive)
        assert missing_files(world.stand_in, world.archive) == 0
