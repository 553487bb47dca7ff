"""Why a sign-in failed: pyicloud's own exceptions hide most of what Apple said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...errors import (
    AccountLocked,
    CodeExpired,
    InvalidCode,
    InvalidCredentials,
    PipelineError,
    SourceAccessDenied,
    SourceBadAnswer,
    SourceUnreachable,
    TermsRequired,
    ThrottledError,
    TooManyCodes,
)
from ..http import retry_after

_WRONG_LOGIN: Final = "-20101"
_LOCKED: Final = frozenset({"-20209", "-20283"})
_SESSION_ENDED: Final = "-20528"
_CODE_EXPIRED: Final = "-21654"
_TOO_MANY_CODES: Final = frozenset({"-22979", "-22981"})
_CODE_FLAGS: Final = frozenset(
    {"securityCodeLocked", "tooManyCodesSent", "tooManyCodesValidated", "securityCodeCooldown"}
)
_LOGIN: Final = "/accountLogin"
_PASSWORD_STEP: Final = "/signin/complete"  # noqa: S105 the end of an address


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
        if _too_many_codes(body):
            return TooManyCodes(detail)
        if status in {429, 503}:
            return ThrottledError(detail, retry_after=retry_after(exchange.headers, body))
        if status >= 500:
            return SourceUnreachable(detail)
        if status == 412:
            return TermsRequired(detail)
        if _is_bare_denial(exchange):
            return SourceAccessDenied(detail)
        if status in {401, 403} or _WRONG_LOGIN in codes:
            return InvalidCredentials(detail)
    return SourceBadAnswer("the sign-in failed for an unknown reason")


def login_denied(trail: Sequence[Exchange]) -> bool:
    """True when the account's own service let us not in and did not say why: no word of a password.

    It is asked with the token that the right password gave, and says so now and then for a moment.
    """
    return bool(trail) and _is_bare_denial(trail[-1])


def _is_bare_denial(exchange: Exchange) -> bool:
    return (
        exchange.status == 403
        and exchange.path.endswith(_LOGIN)
        and not _service_codes(exchange.body)
    )


def password_refused(trail: Sequence[Exchange]) -> bool:
    """True when Apple compared the password with its own, and it was another one."""
    return any(
        exchange.path.endswith(_PASSWORD_STEP)
        and (exchange.status == 401 or _WRONG_LOGIN in _service_codes(exchange.body))
        for exchange in trail
    )


def code_accepted(trail: Sequence[Exchange]) -> bool:
    """True when Apple took a code."""
    for exchange in trail:
        if not exchange.path.endswith("/securitycode") or exchange.status is None:
            continue
        if exchange.status < 300:
            return True
        verdict = _code_verdict(exchange.body)
        # Apple accepts some codes with 409 and says so only in the body.
        if exchange.status == 409 and verdict.get("valid"):
            return True
    return False


def code_refused(trail: Sequence[Exchange]) -> PipelineError:
    """Why Apple did not take a code."""
    for exchange in reversed(trail):
        if exchange.status is None or exchange.status < 400:
            continue
        errors = _service_errors(exchange.body)
        if (
            exchange.status in {401, 421}
            or any(str(error.get("code")) in {_SESSION_ENDED, _CODE_EXPIRED} for error in errors)
            or any("expired" in str(error.get("message")).lower() for error in errors)
        ):
            return CodeExpired(f"HTTP {exchange.status} {exchange.path}")
        break
    trouble = explain(trail)
    telling = isinstance(trouble, SourceUnreachable | ThrottledError | TooManyCodes | AccountLocked)
    return trouble if telling else InvalidCode()


def _code_verdict(body: Any) -> Mapping[str, Any]:
    """What an answer says about codes; Apple nests it when it tells of the phone as well."""
    for _ in range(2):
        fields = body if isinstance(body, Mapping) else {}
        if isinstance(verdict := fields.get("securityCode"), Mapping):
            return verdict
        body = fields.get("phoneNumberVerification")
    return {}


def _too_many_codes(body: Any) -> bool:
    verdict = _code_verdict(body)
    return bool(_service_codes(body) & _TOO_MANY_CODES) or any(
        verdict.get(flag) is True for flag in _CODE_FLAGS
    )


def _service_errors(body: Any) -> list[Mapping[str, Any]]:
    errors = body.get("serviceErrors") if isinstance(body, Mapping) else None
    if not isinstance(errors, list):
        return []
    return [error for error in errors if isinstance(error, Mapping)]


def _service_codes(body: Any) -> set[str]:
    return {str(error.get("code")) for error in _service_errors(body)}
