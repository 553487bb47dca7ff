"""Small pieces of HTTP that both sides of a source need: waiting times and trusted authorities."""

import math
import os
import ssl
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final, Protocol, overload

DEFAULT_WAIT: Final = 60.0
LONGEST_WAIT: Final = 24 * 3600.0


class Headers(Protocol):
    """Of an answer; names in upper or lower case."""

    @overload
    def get(self, name: str, /) -> str | None: ...
    @overload
    def get(self, name: str, default: str, /) -> str: ...


def retry_after(headers: Headers | None, body: Any = None, *, guess: float = DEFAULT_WAIT) -> float:
    """Seconds to wait: the header (seconds or a date), the body's ``retryAfter``, or ``guess``."""
    values: list[Any] = []
    if headers is not None:
        values.append(headers.get("Retry-After"))
    if isinstance(body, Mapping):
        values.append(body.get("retryAfter"))
    for value in values:
        seconds = _seconds(value)
        if seconds is not None:
            return seconds
    return guess


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(str(value)).timestamp() - time.time()
        except ValueError, OverflowError:
            return None
    if math.isnan(seconds):
        return None
    return min(max(seconds, 1.0), LONGEST_WAIT)


def ssl_context() -> ssl.SSLContext:
    """Trust what ``REQUESTS_CA_BUNDLE`` or ``SSL_CERT_FILE`` name, else certifi. Blocking."""
    named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
    if named:
        if os.path.isdir(named):  # noqa: PTH112
            return ssl.create_default_context(capath=named)
        return ssl.create_default_context(cafile=named)
    import certifi

    return ssl.create_default_context(cafile=certifi.where())
