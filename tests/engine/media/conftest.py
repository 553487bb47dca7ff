"""A pool of real children for the tests of this room."""

import pytest

from custom_components.media_pipeline.engine.children import never_in_real_time
from custom_components.media_pipeline.engine.media.pool import MediaPool
from tests.support.pools import Pools


@pytest.fixture(autouse=True, scope="session")
def _not_in_real_time() -> None:
    """Some tests encode here and not in a child; as root, SVT-AV1 would take over the machine."""
    never_in_real_time()


@pytest.fixture
def pool(pools: Pools) -> MediaPool:
    return pools(workers=2, timeout=60)
