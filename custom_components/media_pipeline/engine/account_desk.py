"""The account at the source: signed in or not, trusted until when, throttled, and its codes."""

import asyncio
import logging
from typing import TYPE_CHECKING

from .errors import (
    AccountLocked,
    CodeRequired,
    InvalidCode,
    InvalidCredentials,
    NotSupportedBySource,
    PipelineError,
    SecurityKeyRequired,
    TermsRequired,
    ThrottledError,
    WrongRegion,
)
from .model import EngineEvent
from .sources.icloud.session import ICloudSession, SignInState
from .stages.undo import resolve_unknown
from .status_board import SOURCE

if TYPE_CHECKING:
    from .core import Core

_LOGGER = logging.getLogger(__name__)
# What a new sign-in cures; a missing consent, for example, it does not.
_SIGN_IN_ERRORS = (
    AccountLocked,
    CodeRequired,
    InvalidCode,
    InvalidCredentials,
    SecurityKeyRequired,
    TermsRequired,
    WrongRegion,
)
# How often to see whether the trust of the session is to be renewed, in seconds.
_TRUST_LOOK = 3600.0


class AccountDesk:
    """See ``engine.Engine`` for what each call means. A folder has no session."""

    def __init__(self, core: Core) -> None:
        """Works on the core's loop."""
        self._core = core

    def start(self) -> None:
        """Look at the source, and keep its trust, in the background."""
        self._core.spawn(self.look())
        if (session := self._core.session) is not None:
            self._core.spawn(self._keep_trusted(session))

    async def look(self) -> None:
        """See whether the source can be used, and note the problem when not."""
        core, board = self._core, self._core.board
        try:
            await core.source.open()
            await resolve_unknown(core.catalog, core.source)
            board.usage = await core.source.usage()
            board.problems.pop(SOURCE, None)
        except PipelineError as err:
            _LOGGER.info("the source is not ready: %s (%s)", err.key, err.detail)
            board.problems[SOURCE] = err
            if err.key == "code_required":
                core.report(EngineEvent("code_required"))
        await board.refresh()

    async def ask_usage(self) -> None:
        """Ask how much is stored at the source; no answer is no harm."""
        try:
            self._core.board.usage = await self._core.source.usage()
        except PipelineError as err:
            _LOGGER.debug("no storage numbers: %s", err.key)

    async def _keep_trusted(self, session: ICloudSession) -> None:
        """Renew the trust in time, also when no run happens for weeks."""
        while True:
            await asyncio.sleep(_TRUST_LOOK)
            before = session.trust_ends
            try:
                await session.keep_trusted()
            except PipelineError as err:
                _LOGGER.debug("no new trust: %s (%s)", err.key, err.detail)
            if session.trust_ends != before:
                self._core.board.publish()

    @property
    def throttled_until(self) -> float | None:
        """Until when Apple wants no request, in seconds since 1970; None when it may be asked."""
        session = self._core.session
        return session.pacer.until if session is not None else None

    @property
    def authenticated(self) -> bool | None:
        """False when a person must sign in; None when that is not known, or nobody can."""
        session = self._core.session
        if session is None:
            return None
        if session.state is SignInState.SIGNED_IN:
            return True
        err = self._core.board.problems.get(SOURCE)
        if session.state is SignInState.CODE_REQUIRED or isinstance(err, _SIGN_IN_ERRORS):
            return False
        return None

    def has_solved(self, err: PipelineError | None) -> bool:
        """True when a problem of the source went away without a run."""
        session = self._core.session
        if session is None:
            return False
        if isinstance(err, _SIGN_IN_ERRORS):
            return session.state is SignInState.SIGNED_IN
        if isinstance(err, ThrottledError):
            return all(pacer.until is None for pacer in (session.pacer, session.content_pacer))
        return False

    async def submit_code(self, code: str) -> None:
        """Hand in a two-factor code."""
        session = self._require_session()
        try:
            await session.submit_code(code)
        except PipelineError as err:
            self._core.report(EngineEvent("code_rejected", {"reason": err.key}))
            raise
        self._core.report(EngineEvent("code_accepted"))
        await self.look()

    async def request_code(self, *, sms: bool) -> None:
        """Have Apple send a new code, because a person wants one."""
        await self._require_session().send_code(sms=sms)
        self._core.board.publish()

    def _require_session(self) -> ICloudSession:
        session = self._core.session
        if session is None:
            raise NotSupportedBySource
        return session
