"""One Apple account, blocking: signed requests, over whatever sign-in there is. One thread only."""

from typing import TYPE_CHECKING, Any

from ...errors import CodeRequired, SourceAccessDenied, SourceUnreachable, WebAccessOff
from .answers import SessionLost, parse_json
from .database import post, unlock
from .signing_in import SigningIn
from .state import SignInState
from .validate import still_stands

if TYPE_CHECKING:
    from .service import AppleService


class Account(SigningIn):
    """What runs on the session's thread."""

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
                    self._explain_denial()
                    raise
                unlocked_anew, self._unlocked = True, False
            else:
                self._files.succeeded()
                return data

    def _explain_denial(self) -> None:
        """Look at the account anew: web access may just have been switched off."""
        service = self._service
        if service is not None and still_stands(service) and service.web_access_off:
            raise WebAccessOff("the account says that web access is not allowed")

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
