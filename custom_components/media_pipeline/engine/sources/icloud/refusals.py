"""Why a sign-in failed: pyicloud's own exceptions hide most of what Apple said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...errors import (
    AccountLocked,
    InvalidCredentials,
    PipelineError,
    SourceBadAnswer,
    SourceUnreachable,
    TermsRequired,
    ThrottledError,
)
from ..http import retry_after

_WRONG_LOGIN: Final = "-20101"
_LOCKED: Final = frozenset({"-20209", "-20283"})


@dataclass(slots=True)
class Exchange:
    """One request as it went over the wire."""

    path: str
    status: int | None
    """None when no answer came."""
    headers: Mapping[str, str]
    body: Any
    """Parsed JSON of a refusal."""


def explain(trail: Sequence[Exchange]) -> PipelineError:
    """The error behind the last refusal of a trail."""
    for exchange in reversed(trail):
        status, body = exchange.status, exchange.body
        if status is None:
            return SourceUnreachable(f"no answer: {exchange.path}")
        if status < 400:
            continue
        detail = f"HTTP {status} {exchange.path}"
        codes = _service_codes(body)
        if codes & _LOCKED:
            return AccountLocked(detail)
        if status in {429, 503}:
            return ThrottledError(detail, retry_after=retry_after(exchange.headers, body))
        if status >= 500:
            return SourceUnreachable(detail)
        if status == 412:
            return TermsRequired(detail)
        if status in {401, 403} or _WRONG_LOGIN in codes:
            return InvalidCredentials(detail)
    return SourceBadAnswer("the sign-in failed for an unknown reason")


def _service_codes(body: Any) -> set[str]:
    errors = body.get("serviceErrors") if isinstance(body, Mapping) else None
    if not isinstance(errors, list):
        return set()
    return {str(error.get("code")) for error in errors if isinstance(error, Mapping)}
