"""What rclone's error texts mean: its remote control answers 404 or 500 and a text, no more."""

import re
from typing import Final

from ..errors import (
    FileVanished,
    NameRefused,
    PipelineError,
    RcloneFailed,
    RcloneNoPassword,
    RcloneRemoteRefused,
    RcloneRemoteUnknown,
    TargetAuthFailed,
    TargetFull,
    TargetPathMissing,
    TargetReadOnly,
    TargetUnreachable,
    ThrottledError,
)

_MEANINGS: Final[tuple[tuple[type[PipelineError], tuple[str, ...]], ...]] = (
    (RcloneNoPassword, ("authentication must be set up on the rc server",)),
    (RcloneRemoteUnknown, ("didn't find section in config file", "didn't find backend called")),
    (
        ThrottledError,
        (
            *("rate.?limit", "too many requests", "too_many_", r"\b429\b", "slow ?down"),
            "activityLimitReached",
        ),
    ),
    (
        TargetFull,
        (
            *("no space left", "disk quota exceeded", "quota ?exceeded", "storage_?quota"),
            *("insufficient.?(space|storage)", "quota.{0,20}(reached|full|exceeded)", r"\b507\b"),
            *("not enough (space|quota)", "over quota", "remaining (disk )?space"),
            "remaining storage",
        ),
    ),
    (
        RcloneRemoteRefused,
        (
            *("couldn't find.{0,10}token", "empty token", "invalid_grant", "config reconnect"),
            *("token.{0,20}(expired|revoked)", r"\b401\b", "unauthorized", "couldn't connect SSH"),
            *("unable to authenticate", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
            "invalid.{0,10}credentials",
        ),
    ),
    (
        TargetUnreachable,
        (
            *("connection refused", "no such host", "i/o timeout", "network is unreachable"),
            *("no route to host", "connection reset", "TLS handshake", "timed? ?out"),
            *("broken pipe", "deadline exceeded", r"\b50[234]\b", "unexpected EOF"),
            *("context canceled", "server misbehaving"),
        ),
    ),
    (NameRefused, ("file ?name too long", "invalid file ?name", "name.{0,20}not allowed")),
    (FileVanished, ("(object|directory) not found", "no such file", "NoSuchKey", "NoSuchBucket")),
    (
        TargetReadOnly,
        (
            *("read.?only", "permission denied", "access denied", "AccessDenied", r"\b403\b"),
            *("forbidden", "operation not permitted", "insufficient.?permission"),
        ),
    ),
    (TargetPathMissing, ("is a file not a directory", "not a directory")),
)
"""The first that fits counts: a full disk may be told with 403, a refused login with 500."""
_PATTERNS: Final = tuple(
    (re.compile("|".join(texts), re.IGNORECASE), kind) for kind, texts in _MEANINGS
)


def explain(text: str, path: str) -> PipelineError:
    """The named error for what rclone said; RcloneFailed where nobody knows."""
    for pattern, kind in _PATTERNS:
        if pattern.search(text):
            return kind(f"rclone: {text}", path=path)
    return RcloneFailed(f"rclone: {text}", path=path)


def explain_status(status: int, text: str, path: str) -> PipelineError:
    """As ``explain``, for an answer that may come from a gate before rclone."""
    if status == 401:
        return TargetAuthFailed("rclone refuses user or password", path=path)
    if status == 429:
        return ThrottledError(f"rclone: {text}", path=path)
    if status in {502, 503, 504}:
        return TargetUnreachable(f"HTTP {status}", path=path)
    return explain(text, path)
