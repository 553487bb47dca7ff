"""A tenth of all answers is wrong, in every way the stand-in knows, and still all ends well."""

from pathlib import Path

import pytest

from .harness import make_world
from .soak import soak_ingest
from .soak_cleanup import soak_cleanup


@pytest.mark.timeout(120)
async def test_ingest_ends_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with make_world(
        tmp_path, monkeypatch, assets=160, real=0, photo_bytes=20_000, video_bytes=30_000
    ) as world:
        report = await soak_ingest(world, rate=0.1, seed=1, rounds=8)
    assert report.missing == 0, report
    assert report.wrong == 0, report
    assert report.gone == 0, report
    assert report.quarantined == 0, report
    assert report.codes_sent <= 1, report
    assert len(report.struck) > 20, report
    assert report.answers["database"] > 20, report


@pytest.mark.timeout(120)
async def test_cleanup_frees_what_was_planned_and_undoes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with make_world(
        tmp_path, monkeypatch, assets=60, real=0, photo_bytes=8_000, video_bytes=8_000
    ) as world:
        report = await soak_cleanup(world, rate=0.1, seed=1, kept=10)
    assert report.freed == 50, report
    assert not report.not_planned, report
    assert not report.only_in_books, report
    assert not report.only_at_apple, report
    assert not report.wrong_states, report
    assert report.left_after_undo == 0, report
    assert report.struck, report
