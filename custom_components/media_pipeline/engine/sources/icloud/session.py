"""Sign-in, two-factor and signed requests: the only part that uses pyicloud."""

from enum import StrEnum
from pathlib import Path
from typing import Any

from ...model import LibraryInfo, Usage


class SignInState(StrEnum):
    """Where a sign-in stands."""

    SIGNED_OUT = "signed_out"
    SIGNED_IN = "signed_in"
    CODE_REQUIRED = "code_required"


class ICloudSession:
    """One Apple account on one worker thread (pyicloud blocks and is not thread safe)."""

    def __init__(
        self, apple_id: str, password: str, *, china: bool = False, session_dir: Path
    ) -> None:
        """``session_dir`` is made private (0700)."""
        raise NotImplementedError

    @property
    def state(self) -> SignInState:
        """What is known without asking Apple."""
        raise NotImplementedError

    async def sign_in(self) -> SignInState:
        """Reuse the stored session, or sign in; asks Apple for a code at most once.

        Raises InvalidCredentials, AccountLocked, TermsRequired, SourceUnreachable, ThrottledError.
        """
        raise NotImplementedError

    async def send_code(self, *, sms: bool = False) -> None:
        """Have Apple send a (new) code. Raises SourceUnreachable, ThrottledError."""
        raise NotImplementedError

    async def submit_code(self, code: str) -> None:
        """Hand in the code and make this a trusted session. Raises InvalidCode, CodeRequired."""
        raise NotImplementedError

    async def libraries(self) -> list[LibraryInfo]:
        """The libraries of the account. Raises ConsentRequired, SourceAccessDenied, ..."""
        raise NotImplementedError

    async def usage(self) -> Usage | None:
        """Used and total bytes of the account's iCloud storage; None when Apple does not say."""
        raise NotImplementedError

    async def post(self, path: str, body: dict[str, Any], *, shared: bool = False) -> Any:
        """A signed POST to the photos database service; the answer as parsed JSON."""
        raise NotImplementedError

    async def close(self) -> None:
        """End the worker thread."""
        raise NotImplementedError
