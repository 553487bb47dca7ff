"""A pool of real children for the tests of this room."""

from collections.abc import AsyncIterator

import pytest

from custom_components.media_pipeline.engine.media.pool import MediaPool


@pytest.fixture
async def pool() -> AsyncIterator[MediaPool]:
    made = MediaPool(workers=2, timeout=60)
    yield made
    await made.close()
