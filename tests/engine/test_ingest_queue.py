"""The queue of downloads: one question to the catalog serves many files."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import pytest

from custom_components.media_pipeline.engine.stages import ingest
from custom_components.media_pipeline.engine.stages.ingest import _Queue


@dataclass
class _Catalog:
    waiting: list[int]
    asked: list[tuple[int, int]] = field(default_factory=list)

    async def read(self, _work: object, now: int, limit: int, skip: Collection[int]) -> list[int]:
        self.asked.append((now, limit))
        return [item for item in self.waiting if item not in skip][:limit]


def _queue(*waiting: int) -> tuple[Any, _Catalog]:
    catalog = _Catalog(list(waiting))
    return _Queue(catalog), catalog  # type: ignore[arg-type]


async def test_many_files_for_one_question() -> None:
    queue, catalog = _queue(*range(100))
    got = [item for _ in range(ingest._AHEAD) for item in await queue.fetch(1000, 1, ())]
    assert got == list(range(ingest._AHEAD))
    assert catalog.asked == [(1000, ingest._AHEAD)]


async def test_asks_again_rather_than_giving_too_few() -> None:
    queue, catalog = _queue(1, 2, 3)
    assert await queue.fetch(1000, 2, ()) == [1, 2]
    catalog.waiting = [3, 4]  # listed meanwhile
    assert await queue.fetch(1001, 2, (1, 2)) == [3, 4]
    assert await queue.fetch(1002, 1, (3, 4)) == []
    assert len(catalog.asked) == 3


@pytest.mark.parametrize("now", [1000 + ingest._FRESH + 1, 999])
async def test_an_old_answer_is_not_used(now: int) -> None:
    """Newer files come first; and what is due only later must not be taken now."""
    queue, catalog = _queue(1, 2, 3)
    assert await queue.fetch(1000, 1, ()) == [1]
    catalog.waiting = [9, 2, 3]
    assert await queue.fetch(now, 1, (1,)) == [9]
