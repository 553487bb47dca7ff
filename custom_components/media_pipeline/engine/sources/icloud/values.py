"""Single values of Apple's records, read tolerantly: what is odd is None."""

import math
from collections.abc import Mapping
from typing import Any, Final

_LARGEST: Final = 1 << 62


def text_of(value: Any) -> str | None:
    """A non-empty text that can be stored, or None."""
    if not isinstance(value, str) or not value:
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return str(value).encode("utf-8", "replace").decode()
    return str(value)


def int_of(value: Any) -> int | None:
    """A whole number that fits a database, or None."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        value = int(value)
    if isinstance(value, str) and value.lstrip("-").isdecimal() and len(value) < 20:
        value = int(value)
    return value if isinstance(value, int) and -_LARGEST < value < _LARGEST else None


def field_of(record: Mapping[str, Any], name: str) -> Any:
    """The value of a field; None when any layer of it is missing or odd."""
    fields = record.get("fields")
    entry = fields.get(name) if isinstance(fields, Mapping) else None
    return entry.get("value") if isinstance(entry, Mapping) else None
