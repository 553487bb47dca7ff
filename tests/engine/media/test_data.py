"""Searching a file through a small window: what lies across the border of two pieces is found."""

import re
from io import BytesIO

import pytest

from custom_components.media_pipeline.engine.media.data import Data

_MARK = b"\xff\xd9\x01"
_PATTERN = re.compile(_MARK)


@pytest.mark.parametrize("border", [1 << 16, (1 << 16) + (1 << 18)], ids=["first", "second"])
@pytest.mark.parametrize("before", range(-1, 5))
def test_found_across_a_border(border: int, before: int) -> None:
    at = border - before
    # begins of it that go no further stand before it and at the border
    content = bytearray(b"\xff\xd9\0" * ((border + 50) // 3))
    content[at : at + 3] = _MARK
    expected = bytes(content).index(_MARK)

    assert expected == at
    assert Data(BytesIO(content)).search(_PATTERN, 0, 3) == at
    assert Data(BytesIO(content)).search(_PATTERN, at, 3) == at
    assert Data(BytesIO(content)).search(_PATTERN, at + 1, 3) is None


@pytest.mark.parametrize("size", [0, 1, 2, 3])
def test_a_short_end(size: int) -> None:
    content = b"\0" * (1 << 16) + _MARK[:size]
    assert Data(BytesIO(content)).search(_PATTERN, 0, 3) == (1 << 16 if size == 3 else None)
    assert Data(BytesIO(content)).search(re.compile(b"\xff"), 0, 1) == (1 << 16 if size else None)
