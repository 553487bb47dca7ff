"""Media pools that are closed when the test is over."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from custom_components.media_pipeline.engine.media.pool import MediaPool

type Pools = Callable[..., MediaPool]
"""Makes one, with any of its options."""


@pytest.fixture
async def pools() -> AsyncIterator[Pools]:
    made: list[MediaPool] = []

    def make(**options: Any) -> MediaPool:
        made.append(MediaPool(**options))
        return made[-1]

    yield make
    for one in made:
        await one.close()
