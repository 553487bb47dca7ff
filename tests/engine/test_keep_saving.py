"""Records are saved beside the downloads, and none that came last is forgotten."""

import asyncio
from typing import Any

import pytest

from custom_components.media_pipeline.engine.stages import records


async def test_the_end_of_the_downloads_while_records_are_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = asyncio.Event()
    after_the_end: list[bool] = []

    async def save(_context: object) -> None:
        after_the_end.append(ended.is_set())
        ended.set()  # the last file arrives when the question was asked already

    monkeypatch.setattr(records, "save_records", save)
    monkeypatch.setattr(records, "_PAUSE", 0.01)
    context: Any = object()
    await records.keep_saving(context, ended)
    assert after_the_end == [False, True]
