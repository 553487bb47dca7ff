"""One Apple account, blocking: sign-in, codes, consent and signed requests. One thread only."""

import logging
import time
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
    SourceAccessDenied,
    SourceBadAnswer,
    SourceUnreachable,
    TermsRequired,
    ThrottledError,
)
from ..http import retry_after
from .answers import SessionLost, parse_json
from .database import post, unlock
from .files import SessionFiles
from .refusals import explain
from .state import SignInState

if TYPE_CHECKING:
    from .service import AppleService, Delivery

_LOGGER = logging.getLogger(__name__)
_DATABASE: Final = "/database/1/com.apple.photos.cloud/production"
_ASK_CONSENT_AGAIN: Final = 12 * 3600.0
_TRUST_AGAIN: Final = 7 * 24 * 3600.0
_KEYS_TRIES: Final = 4
_KEYS_PAUSE: Final = 2.0
_WRONG_LOGIN: Final = "-20101"
_LOCKED: Final = frozenset({"-20209", "-20283"})


class Account:
    """What runs on the session's thread."""

    def __init__(self, apple_id: str, password: str, *, china: bool, folder: Path) -> None:
        self.state = SignInState.SIGNED_OUT
        self._apple_id, self._password, self._china = apple_id, password, china
        self._files = SessionFiles(folder, apple_id, password)
        self._service: AppleService | None = None
        self._unlocked = False

    # --- signing in -------------------------------------------------------------------------------

    def sign_in(self) -> SignInState:
        """Stored session, else password; a challenge that is open already is left alone."""
        if self.state is SignInState.SIGNED_IN:
            return self.state
        if self.state is SignInState.CODE_REQUIRED and self._files.challenge is not None:
            return self.state
        service = self._new_service()
        if self._validate(service):
            self._keep_trusted(service)
            return self._signed_in()
        if self._files.challenge is not None:
            self.state = SignInState.CODE_REQUIRED
            return self.state
        from .service import Delivery

        return self._log_in(Delivery.DEFAULT)

    def send_code(self, *, sms: bool) -> None:
        """A person wants a code."""
        from .service import TROUBLE, Delivery, is_kind

        if self.state is SignInState.SIGNED_IN:
            return
        delivery = Delivery.SMS if sms else Delivery.DEFAULT
        self._files.consent_asked = 0.0
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
        digits = "".join(c for c in code if c.isdigit())
        if len(digits) < 4:
            raise InvalidCode("a code is six digits")
        service.adapter.trail.clear()
        trouble: Exception | None = None
        try:
            service.validate_2fa_code(digits)
        except TROUBLE as error:
            trouble = error  # what it says about the code is not reliable
        if not self._code_accepted(service):
            raise self._code_refused(service) from trouble
        self._files.forget_challenge()
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
        self._files.trusted = time.time()
        self._signed_in()

    def _keep_trusted(self, service: AppleService) -> None:
        """Renew the trust of a good session now and then, so that no new code is wanted soon."""
        from .service import TROUBLE

        if time.time() - self._files.trusted < _TRUST_AGAIN:
            return
        self._files.trusted = time.time()
        data = service.data
        try:
            service.trust_session()
        except TROUBLE as error:
            _LOGGER.debug("Trust was not renewed: %s", type(error).__name__)
        if not service.is_trusted_session:
            service.adopt(data)

    @staticmethod
    def _code_accepted(service: AppleService) -> bool:
        for exchange in service.adapter.trail:
            if not exchange.path.endswith("/securitycode") or exchange.status is None:
                continue
            if exchange.status < 300:
                return True
            body = exchange.body if isinstance(exchange.body, Mapping) else {}
            verdict = body.get("securityCode")
            # Apple accepts some codes with 409 and says so only in the body.
            if exchange.status == 409 and isinstance(verdict, Mapping) and verdict.get("valid"):
                return True
        return service.is_trusted_session

    def _code_refused(self, service: AppleService) -> PipelineError:
        trouble = explain(service.adapter.trail)
        return trouble if isinstance(trouble, SourceUnreachable | ThrottledError) else InvalidCode()

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
        return service

    def _validate(self, service: AppleService) -> bool:
        """True when the stored session still stands; an outage says nothing about it."""
        from .service import TROUBLE

        if not service.has_stored_session:
            return False
        try:
            answer = service.ask_setup("validate", data="null")
        except TROUBLE as error:
            raise SourceUnreachable(type(error).__name__) from error
        if answer.status_code in {429, 503}:
            raise ThrottledError("validate", retry_after=retry_after(answer.headers))
        if answer.status_code >= 500:
            raise SourceUnreachable(f"validate: HTTP {answer.status_code}")
        if answer.status_code != 200:
            return False
        data = parse_json(answer.content)
        if not isinstance(data, Mapping) or not isinstance(data.get("dsInfo"), Mapping):
            return False
        service.adopt(data)
        return service.is_trusted_session

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
            service.authenticate(force_refresh=True)
        except TROUBLE as error:
            if is_kind(error, "PyiCloudAcceptTermsException"):
                raise TermsRequired from error
            if is_kind(error, "PyiCloudAccountLockedException"):
                raise AccountLocked from error
            challenged = is_kind(
                error, "PyiCloud2FARequiredException", "PyiCloud2SARequiredException"
            )
            if not challenged:
                raise explain(service.adapter.trail) from error
        finally:
            self._files.protect()
        if not challenged and not service.requires_2fa and service.is_trusted_session:
            return self._signed_in()
        self._files.remember_challenge(service.two_factor_delivery_method, service.phone)
        self.state = SignInState.CODE_REQUIRED
        return self.state

    def _signed_in(self) -> SignInState:
        self.state = SignInState.SIGNED_IN
        self._files.forget_challenge()
        self._files.succeeded(now=True)
        return self.state

    # --- requests ---------------------------------------------------------------------------------

    def post(self, path: str, body: dict[str, Any], *, shared: bool) -> Any:
        """A signed POST to the photos database; one silent sign-in when the session is lost."""
        renewed = unlocked_anew = False
        while True:
            try:
                data = post(self._ready(), path, body, shared=shared)
            except SessionLost as lost:
                if renewed:
                    raise SourceUnreachable(f"refused again after a new sign-in: {lost}") from lost
                renewed = True
                self._renew()
            except SourceAccessDenied:
                # The keys that Advanced Data Protection lends us may have run out.
                if unlocked_anew:
                    raise
                unlocked_anew, self._unlocked = True, False
            else:
                self._files.succeeded()
                return data

    def usage(self) -> Any:
        """The raw answer about storage."""
        from .service import TROUBLE

        try:
            service = self._ready()
            root = service.get_webservice_url("account")
            answer = service.ask(f"{root}/setup/ws/1/storageUsageInfo", params=service.params)
        except (*TROUBLE, SessionLost) as error:
            raise SourceUnreachable(type(error).__name__) from error
        return parse_json(answer.content) if answer.status_code == 200 else None

    def _ready(self) -> AppleService:
        if self.sign_in() is not SignInState.SIGNED_IN or self._service is None:
            raise CodeRequired
        if not self._unlocked:
            unlock(self._service, self._files)
            self._unlocked = True
        return self._service

    def _renew(self) -> None:
        from .service import Delivery

        self.state = SignInState.SIGNED_OUT
        if self._files.challenge is not None:
            self.state = SignInState.CODE_REQUIRED
            raise CodeRequired
        if self._log_in(Delivery.DEFAULT) is not SignInState.SIGNED_IN:
            raise CodeRequired


def _phone(challenge: Mapping[str, Any]) -> dict[str, Any] | None:
    phone = challenge.get("phone")
    return dict(phone) if isinstance(phone, Mapping) else None
