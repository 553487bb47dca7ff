"""What iPhones write into the maker note of a photo."""

import contextlib
import struct
from typing import Final

CONTENT_ID: Final = 0x11
"""The text that a Live Photo's still and film share."""
BURST_ID: Final = 0x0B


def apple_text(note: object, wanted: int) -> str | None:
    """Return one text of an Apple maker note; None when there is none."""
    if not isinstance(note, bytes) or not note.startswith(b"Apple iOS\0"):
        return None
    order = "<" if note[12:14] == b"II" else ">"
    with contextlib.suppress(struct.error, UnicodeDecodeError):
        (count,) = struct.unpack_from(order + "H", note, 14)
        for entry in range(count):
            tag, kind, size, at = struct.unpack_from(order + "HHII", note, 16 + entry * 12)
            if tag == wanted and kind == 2:
                return note[at : at + size].rstrip(b"\0").decode("ascii") or None
    return None
