"""What all tests of the engine share."""

from tests.support.pools import pools

__all__ = ["pools"]
