"""The classes of errors: each says what to do next."""

import time
from datetime import UTC, datetime
from typing import ClassVar


class PipelineError(Exception):
    """Base of everything the engine raises on purpose."""

    key: ClassVar[str] = "unknown"

    def __init__(self, detail: str = "", /, **placeholders: str) -> None:
        """``detail`` is for the log (English); ``placeholders`` fill the translated text."""
        super().__init__(detail or self.key)
        self.detail = detail
        self.placeholders = placeholders


class TransientError(PipelineError):
    """May work when tried again later without anybody doing anything."""

    key = "transient"


class ThrottledError(TransientError):
    """The other side asked us to slow down."""

    key = "throttled"

    def __init__(
        self, detail: str = "", /, *, retry_after: float = 60.0, **placeholders: str
    ) -> None:
        """``retry_after`` is in seconds, as the other side said it or our own guess."""
        super().__init__(detail, **{"seconds": str(round(retry_after)), **placeholders})
        self.retry_after = retry_after


class HeldBack(ThrottledError):
    """Apple asked us to slow down; before a certain time nothing is asked, so this is refused."""

    key = "throttled_until"

    def __init__(self, detail: str = "", /, *, until: float = 0.0) -> None:
        """``until`` is in seconds since 1970; whoever shows it puts it into local time."""
        moment = datetime.fromtimestamp(until, UTC)
        super().__init__(
            detail,
            retry_after=max(1.0, until - time.time()),
            until=moment.isoformat(timespec="seconds"),
        )
        self.until = moment


class NeedsUserError(PipelineError):
    """Nothing helps until a person does something (code, password, consent)."""

    key = "needs_user"


class TargetUnavailableError(PipelineError):
    """A target or the archive can't be used now; the others go on."""

    key = "target_unavailable"


class CorruptError(PipelineError):
    """Bytes are not what they should be."""

    key = "corrupt"


class PermanentError(PipelineError):
    """Trying again changes nothing; the asset or request is refused."""

    key = "permanent"
