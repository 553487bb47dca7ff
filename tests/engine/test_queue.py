"""The queue of every stage: one question to the catalog serves many files."""

from collections.abc import Collection
from dataclasses import dataclass, field

import pytest

from custom_components.media_pipeline.engine.stages import queue
from custom_components.media_pipeline.engine.stages.queue import Queue


@dataclass
class _Waiting:
    items: list[int]
    limits: list[int] = field(default_factory=list)

    async def fetch(self, _now: int, limit: int, skip: Collection[int]) -> list[int]:
        self.limits.append(limit)
        return [item for item in self.items if item not in skip][:limit]


async def test_many_files_for_one_question() -> None:
    waiting = _Waiting(list(range(400)))
    asking = Queue(waiting.fetch)
    taken = [await asking.take(1, ()) for _ in range(queue._AHEAD)]
    assert taken == [[item] for item in range(queue._AHEAD)]
    assert waiting.limits == [queue._AHEAD]


async def test_an_old_answer_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Newer files come first."""
    monkeypatch.setattr(queue, "_REST", 0.0)
    waiting = _Waiting([1, 2, 3])
    asking = Queue(waiting.fetch)
    assert await asking.take(1, ()) == [1]
    waiting.items = [9, 2, 3]
    assert await asking.take(1, [1]) == [2]
    monkeypatch.setattr(queue, "_STALE_SECONDS", -1.0)
    assert await asking.take(1, [1, 2]) == [9]


async def test_is_quiet_when_nothing_waits() -> None:
    waiting = _Waiting([])
    asking = Queue(waiting.fetch)
    assert await asking.take(4, ()) == []
    assert not await asking.anything_by(0)
