"""Signing in to one Apple account, blocking: password, codes, trust. One thread only.

Two circuit breakers hold over restarts: Apple is asked for a code once until a person answers
(the open challenge), and a password that Apple refused is not tried again until a person enters
another one or asks for it (the refusal). Both live in the session's folder, see files.py.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...errors import (
    AccountLocked,
    CodeRequired,
    InvalidCode,
    InvalidCredentials,
    NotSupportedBySource,
    PipelineError,
    SecurityKeyRequired,
    SourceBadAnswer,
    SourceUnreachable,
    TermsRequired,
    WrongRegion,
)
from . import trust
from .files import SessionFiles
from .refusals import code_accepted, code_refused, explain, password_refused
from .state import SignInState
from .validate import still_stands

if TYPE_CHECKING:
    from .service import AppleService, Delivery

_LOGGER = logging.getLogger(__name__)
_CODE_LENGTH: Final = 6
_SECURITY_KEY: Final = "security_key"
_REFUSED: Final[Mapping[str, type[PipelineError]]] = {
    error.key: error for error in (InvalidCredentials, AccountLocked)
}


class SigningIn:
    """What a person or a lost session sets off; requests are in account.py."""

    def __init__(self, apple_id: str, password: str, *, china: bool, folder: Path) -> None:
        self.state = SignInState.SIGNED_OUT
        self.trust_ends: int | None = None
        """See ``AppleService.trust_ends``; None until there was a look."""
        self._apple_id, self._password, self._china = apple_id, password, china
        self._files = SessionFiles(folder, apple_id, password)
        self._service: AppleService | None = None
        self._unlocked = False

    # --- signing in -------------------------------------------------------------------------------

    def sign_in(self, *, asked: bool = False) -> SignInState:
        """Stored session, else password; a challenge that is open already is left alone.

        ``asked``: a person wants it, so a password that was refused is tried once more.
        """
        if self.state is SignInState.SIGNED_IN:
            return self.state
        if self.state is SignInState.CODE_REQUIRED and self._files.challenge is not None:
            return self.state
        service = self._new_service()
        if still_stands(service):
            if asked and service.data.get("termsUpdateNeeded"):
                raise TermsRequired
            self._signed_in()
            self.keep_trusted()
            return self.state
        challenge = self._files.challenge
        if challenge is not None and challenge.get("method") != _SECURITY_KEY:
            self.state = SignInState.CODE_REQUIRED
            return self.state
        if not asked:
            if challenge is not None:
                raise SecurityKeyRequired
            if refused := _REFUSED.get(self._files.refusal or ""):
                raise refused("refused before; a person must act first")
        from .service import Delivery

        return self._log_in(Delivery.DEFAULT)

    def ask_consent(self) -> None:
        """A person is there to approve web access: the next request asks the devices again."""
        self._files.consent_asked = 0.0

    def send_code(self, *, sms: bool) -> None:
        """A person wants a code."""
        from .service import TROUBLE, Delivery, is_kind

        if self.state is SignInState.SIGNED_IN:
            return
        delivery = Delivery.SMS if sms else Delivery.DEFAULT
        self.ask_consent()
        service = self._service
        if service is None or not service.has_challenge:
            self._log_in(delivery)
            return
        service.adapter.trail.clear()
        try:
            service.deliver(delivery)
        except TROUBLE as error:
            if is_kind(error, "PyiCloudNoTrustedNumberAvailable"):
                raise NotSupportedBySource("Apple knows no phone number for codes") from error
            trouble = explain(service.adapter.trail)
            if not isinstance(trouble, InvalidCredentials):
                raise trouble from error
            self._log_in(delivery)  # the challenge was too old
            return
        if service.wants_security_key:
            raise SecurityKeyRequired

    def submit_code(self, code: str) -> None:
        """Hand in a code; on success this is a trusted session."""
        from .service import TROUBLE, is_kind

        if self.state is SignInState.SIGNED_IN:
            return
        service = self._service or self._new_service()
        if not service.has_challenge:
            challenge = self._files.challenge
            if challenge is None:
                raise CodeRequired("no code was asked for")
            service.resume_challenge(str(challenge.get("method")), _phone(challenge))
        digits = "".join(c for c in code if c.isdecimal())
        if len(digits) != _CODE_LENGTH:
            raise InvalidCode("a code is six digits")
        service.adapter.trail.clear()
        trouble: Exception | None = None
        try:
            service.validate_2fa_code(digits)
        except WrongRegion:
            self._files.forget_challenge()  # the code is used up, and was good
            self.state = SignInState.SIGNED_OUT
            raise
        except TROUBLE as error:
            trouble = error  # what it says about the code is not reliable
        if not code_accepted(service.adapter.trail) and not service.is_trusted_session:
            raise code_refused(service.adapter.trail) from trouble
        self._files.forget_challenge()
        self.state = SignInState.SIGNED_OUT
        if trouble is not None and is_kind(trouble, "PyiCloudAcceptTermsException"):
            raise TermsRequired from trouble
        self._trust(service)

    def _trust(self, service: AppleService) -> None:
        """Make sure that the code counts for later sign-ins too."""
        from .service import TROUBLE, is_kind

        if not service.is_trusted_session:
            try:
                service.trust_session()
            except TROUBLE as error:
                if is_kind(error, "PyiCloudAcceptTermsException"):
                    raise TermsRequired from error
                raise explain(service.adapter.trail) from error
        if not service.is_trusted_session:
            raise SourceUnreachable("Apple took the code but does not trust the session")
        self._files.remember_trust(granted=True)
        self._signed_in()

    def keep_trusted(self, *, asked: bool = False) -> None:
        """Renew the trust of a good session when it is time for that, or when ``asked`` to.

        Only when a person asked does it raise (PipelineError), and may it end in a question for a
        code (CodeRequired).
        """
        service = self._service
        if self.state is not SignInState.SIGNED_IN or service is None:
            return
        if not asked and not trust.is_due(self._files, service.trust_ends):
            return
        try:
            self._service = trust.renew(service, self._files, self._new_service)
        except PipelineError as error:
            self._service = service
            _LOGGER.info("The trust of the session was not renewed: %s (%s)", error.key, error)
            if not asked:
                return
            if isinstance(error, CodeRequired):
                from .service import Delivery

                self._log_in(Delivery.DEFAULT)
            raise
        finally:
            self._files.protect()
        self._signed_in()

    def _new_service(self) -> AppleService:
        from .service import TROUBLE, AppleService

        self._unlocked = False
        try:
            self._files.prepare()
            service = AppleService(
                self._apple_id, self._password, china=self._china, folder=self._files.folder
            )
        except TROUBLE as error:
            raise SourceBadAnswer(f"the session folder can't be used: {error}") from error
        self._service = service
        self.trust_ends = service.trust_ends
        return service

    def _log_in(self, delivery: Delivery) -> SignInState:
        """Sign in with token or password; a code is delivered as told when Apple wants one."""
        from .service import TROUBLE, is_kind

        service = self._new_service()  # a used one remembers an earlier challenge
        service.delivery = delivery
        service.before_delivery = lambda method: self._files.remember_challenge(
            method, service.phone
        )
        self.state = SignInState.SIGNED_OUT
        challenged = False
        try:
            service.log_in()
        except TROUBLE as error:
            if is_kind(error, "PyiCloudAcceptTermsException"):
                raise TermsRequired from error
            challenged = is_kind(
                error, "PyiCloud2FARequiredException", "PyiCloud2SARequiredException"
            )
            if not challenged:
                raise self._refused(service) from error
        finally:
            self._files.protect()
        if not challenged and not service.requires_2fa and service.is_trusted_session:
            return self._signed_in()
        self._files.forget_refusal()
        self._files.remember_challenge(service.two_factor_delivery_method, service.phone)
        if service.wants_security_key:
            raise SecurityKeyRequired
        self.state = SignInState.CODE_REQUIRED
        return self.state

    def _refused(self, service: AppleService) -> PipelineError:
        """Why Apple did not let us in; what concerns the password is remembered."""
        trail = service.adapter.trail
        error = explain(trail)
        if isinstance(error, AccountLocked) or password_refused(trail):
            self._files.remember_refusal(error.key)
        return error

    def _signed_in(self) -> SignInState:
        self.state = SignInState.SIGNED_IN
        if self._service is not None:
            self.trust_ends = self._service.trust_ends
        self._files.forget_challenge()
        self._files.forget_refusal()
        self._files.succeeded(now=True)
        return self.state


def _phone(challenge: Mapping[str, Any]) -> dict[str, Any] | None:
    phone = challenge.get("phone")
    return dict(phone) if isinstance(phone, Mapping) else None
