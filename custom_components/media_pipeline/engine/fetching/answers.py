"""What a content host answers, judged before the first byte is taken. For both ways of fetching."""

import re
from dataclasses import dataclass
from typing import Final

from ..errors import (
    EncodedBody,
    ErrorBody,
    FileVanished,
    PipelineError,
    SourceBadAnswer,
    SourceUnreachable,
    ThrottledError,
    UrlExpired,
)
from ..sources.http import Headers, retry_after

_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)$")
_TEXT_TYPES: Final = ("application/json", "text/json", "text/html")
# One overloaded host of many says nothing about the others; the pacer doubles this each time.
_GUESS: Final = 4.0


@dataclass(frozen=True, slots=True)
class Opening:
    """A body that may be read."""

    offset: int
    """Where it starts; 0 although more was asked when the other side ignored the range."""
    total: int | None
    """Full length of the resource as the other side says it; None when it doesn't."""
    empty: bool = False
    """True when everything is there already."""


def judge(status: int, headers: Headers, offset: int) -> Opening:
    """Say what body follows.

    Raises UrlExpired, SourceUnreachable, ThrottledError, FileVanished, ErrorBody, EncodedBody,
    SourceBadAnswer (a range that was not asked for).
    """
    if status == 416:
        size = headers.get("Content-Range", "").rpartition("/")[2]
        if size.isdecimal() and int(size) == offset:
            return Opening(offset, offset, empty=True)
        raise SourceBadAnswer(f"the range from {offset} is refused, the length is {size or '?'}")
    if status not in {200, 206}:
        raise _refusal(status, headers)
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in _TEXT_TYPES:
        raise ErrorBody(f"{kind} instead of a photo or video")
    encoding = headers.get("Content-Encoding", "identity").lower()
    if encoding != "identity":
        raise EncodedBody(f"plain bytes were asked for, {encoding} came")
    if status == 200:
        length = headers.get("Content-Length", "")
        return Opening(0, int(length) if length.isdecimal() else None)
    match = _CONTENT_RANGE.match(headers.get("Content-Range", ""))
    if match is None or int(match[1]) != offset:
        raise SourceBadAnswer(f"asked from {offset}: {headers.get('Content-Range')}")
    return Opening(offset, None if match[3] == "*" else int(match[3]))


def check_total(offset: int, total: int | None, size: int) -> None:
    """Refuse the end of another file than the one whose beginning is there."""
    if offset and total not in {None, size}:
        raise SourceBadAnswer(f"a range of {total} bytes, not of {size}")


def _refusal(status: int, headers: Headers) -> PipelineError:
    if status in {401, 403, 410, 421}:
        return UrlExpired(f"HTTP {status}")
    if status == 404:
        return FileVanished("HTTP 404")
    if status in {429, 503}:
        wait = retry_after(headers, guess=_GUESS)
        return ThrottledError(f"HTTP {status}", retry_after=wait)
    if status >= 500:
        return SourceUnreachable(f"HTTP {status}")
    return SourceBadAnswer(f"HTTP {status}")
