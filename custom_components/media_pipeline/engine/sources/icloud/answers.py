"""From what Apple's servers answer to parsed JSON or one of our errors."""

import json
from collections.abc import Mapping
from typing import Any, Final

import orjson

from ...errors import (
    CursorRejected,
    PipelineError,
    SourceAccessDenied,
    SourceBadAnswer,
    SourceUnreachable,
    ThrottledError,
)
from ..http import retry_after

THROTTLED_CODES: Final = frozenset(
    {"THROTTLED", "TRY_AGAIN_LATER", "ZONE_BUSY", "CAS_OP_LOCK", "REQUEST_RATE_LIMITED"}
)
_LOST_CODES: Final = frozenset({"AUTHENTICATION_REQUIRED", "AUTHENTICATION_FAILED"})
_LOST_STATUS: Final = frozenset({401, 421, 450})
_BODY_SHOWN: Final = 120


class SessionLost(Exception):
    """Apple no longer accepts this session; a new sign-in may help."""


def parse_json(content: bytes) -> Any:
    """Parse strictly, then leniently (lone surrogates, bad UTF-8). Raises SourceBadAnswer."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        pass
    try:
        return _without_surrogates(json.loads(content.decode("utf-8", "replace")))
    except (ValueError, RecursionError) as error:
        raise SourceBadAnswer(f"no JSON: {content[:_BODY_SHOWN]!r}") from error


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


def read_database_answer(status: int, headers: Mapping[str, str], content: bytes) -> Any:
    """The JSON of a good answer.

    Raises SessionLost, ThrottledError, SourceAccessDenied, CursorRejected, SourceUnreachable,
    SourceBadAnswer. Errors of single records or zones inside a good answer are left in it.
    """
    if status in _LOST_STATUS:
        raise SessionLost(f"HTTP {status}")
    if status == 200:
        data = parse_json(content)
        if isinstance(data, Mapping) and data.get("serverErrorCode"):
            raise _error_of(status, data, headers)
        return data
    try:
        data = parse_json(content)
    except SourceBadAnswer:
        data = None
    raise _error_of(status, data, headers)


def _error_of(status: int, data: Any, headers: Mapping[str, str]) -> PipelineError | SessionLost:
    fields = data if isinstance(data, Mapping) else {}
    code = str(fields.get("serverErrorCode") or "")
    detail = f"HTTP {status} {code} {fields.get('reason') or ''}".strip()
    if code in THROTTLED_CODES or status in {429, 503}:
        return ThrottledError(detail, retry_after=retry_after(headers, fields))
    if code in _LOST_CODES:
        return SessionLost(detail)
    return code_error(code, detail) or (
        SourceAccessDenied(detail)
        if status == 403
        else SourceUnreachable(detail)
        if status >= 500
        else SourceBadAnswer(detail)
    )


def code_error(code: str, detail: str) -> PipelineError | None:
    """The error for a ``serverErrorCode`` that says enough by itself."""
    if code == "ACCESS_DENIED":
        return SourceAccessDenied(detail)
    if code == "BAD_REQUEST" and "continuation" in detail.lower():
        return CursorRejected(detail)
    return None


def throttled_within(answer: Any) -> ThrottledError | None:
    """The longest "slow down" among the zones and records of an otherwise good answer."""
    if not isinstance(answer, Mapping):
        return None
    longest: ThrottledError | None = None
    for part in ("zones", "records", "batch"):
        items = answer.get(part)
        for item in items if isinstance(items, list) else ():
            if isinstance(item, Mapping) and item.get("serverErrorCode") in THROTTLED_CODES:
                error = ThrottledError(
                    str(item["serverErrorCode"]), retry_after=retry_after(None, item)
                )
                if longest is None or error.retry_after > longest.retry_after:
                    longest = error
    return longest


def item_error(item: Mapping[str, Any]) -> PipelineError | None:
    """The error that one zone of an otherwise good answer carries; None when it carries none."""
    code = item.get("serverErrorCode")
    if not code:
        return None
    code, detail = str(code), f"{code} {item.get('reason') or ''}".strip()
    if code in THROTTLED_CODES:
        return ThrottledError(detail, retry_after=retry_after(None, item))
    if code == "ZONE_NOT_FOUND":
        return CursorRejected(detail)
    return code_error(code, detail) or (
        SourceAccessDenied(detail) if code in _LOST_CODES else SourceBadAnswer(detail)
    )
