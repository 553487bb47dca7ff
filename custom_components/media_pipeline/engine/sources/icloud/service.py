"""pyicloud as we use it. Importing this module takes seconds: only on the session's thread."""

from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pyicloud import PyiCloudService, exceptions
from pyicloud.exceptions import PyiCloudException
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.exceptions import RequestException

from ...errors import SourceBadAnswer, WrongRegion
from .answers import parse_json
from .refusals import Exchange, login_denied

# What pyicloud may throw at us for an answer that it did not expect.
TROUBLE: Final = (
    PyiCloudException,
    RequestException,
    ArithmeticError,
    AttributeError,
    LookupError,
    NameError,
    OSError,
    TypeError,
    ValueError,
)
_SESSION_COOKIE: Final = "X-APPLE-WEBAUTH-TOKEN"
_TRUST_COOKIE: Final = "X-APPLE-WEBAUTH-HSA-TRUST"
_TIMEOUT: Final = (15.0, 60.0)
_PATIENT: Final = (15.0, 120.0)


class Delivery(Enum):
    """What to do when Apple wants a code."""

    NEVER = "never"
    DEFAULT = "default"
    SMS = "sms"


class _Adapter(HTTPAdapter):
    """Gives every request a time limit and remembers how it went.

    pyicloud's sign-in has no time limits, and its exceptions lose status and headers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trail: list[Exchange] = []

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Response:
        """Send with a time limit."""
        path = urlsplit(request.url or "").path
        exchange = Exchange(path, None, {}, None)
        self.trail.append(exchange)
        response = super().send(
            request,
            stream=stream,
            timeout=timeout or (_PATIENT if path.endswith("/records/modify") else _TIMEOUT),
            verify=verify,
            cert=cert,
            proxies=proxies,
        )
        exchange.status, exchange.headers = response.status_code, response.headers
        if response.status_code >= 300:
            exchange.body = _refusal(response.content)
        if isinstance(exchange.body, dict) and (home := exchange.body.get("domainToUse")):
            # pyicloud would take this for a session without trust, and ask for a code
            raise WrongRegion(f"Apple says to use {home}")
        return response


def _refusal(content: bytes) -> Any:
    try:
        return parse_json(content)
    except SourceBadAnswer:
        return None


class AppleService(PyiCloudService):
    """A sign-in that asks for codes only when told to, and tells before it does."""

    delivery = Delivery.NEVER

    def __init__(self, apple_id: str, password: str, *, china: bool, folder: Path) -> None:
        super().__init__(
            apple_id,
            password,
            cookie_directory=str(folder),
            china_mainland=china,
            with_family=False,
            refresh_interval=None,
            authenticate=False,
        )
        self.adapter = _Adapter()
        self.session.mount("https://", self.adapter)
        self.before_delivery: Callable[[str], None] = lambda _method: None

    # --- sign-in ----------------------------------------------------------------------------------

    def log_in(self) -> None:
        """Sign in; a denial that gives no reason is asked about once more.

        Raises PyiCloudException; when a code is wanted, PyiCloud2FARequiredException may be left
        out and ``requires_2fa`` says so.
        """
        try:
            self.authenticate(force_refresh=True)
        except exceptions.PyiCloudFailedLoginException:
            if not login_denied(self.adapter.trail):
                raise
            # with the same token: the password was compared already, and no code was asked for
            self._authenticate_with_token()
            self._update_state()

    def request_2fa_code(self) -> bool:
        """Called by pyicloud when Apple wants a code."""
        if self.delivery is Delivery.NEVER:
            return False
        return self.deliver(self.delivery)

    def deliver(self, delivery: Delivery) -> bool:
        """Have a code delivered for the challenge at hand; False when Apple offers no way."""
        self._two_factor_code_requested = False
        if self.wants_security_key:
            return False
        if delivery is Delivery.SMS:
            self.before_delivery("sms")
            return bool(self._request_sms_2fa_code())
        self.before_delivery(self.two_factor_delivery_method)
        if super().request_2fa_code():
            return True
        return self.two_factor_delivery_method == "unknown" and self._ask_devices()

    def _ask_devices(self) -> bool:
        """Have trusted devices show a code. Since 2026 Apple shows none that nobody asked for."""
        self.session.put(
            f"{self._auth_endpoint}/verify/trusteddevice/securitycode",
            headers=self._get_auth_headers({"Accept": "application/json"}),
        )
        self.use_existing_trusted_device_code()
        return True

    def _get_mfa_auth_options(self) -> dict[str, Any]:
        """How the challenge can be answered; older pyicloud overlooks security keys."""
        options = super()._get_mfa_auth_options()
        if not hasattr(PyiCloudService, "_augment_webauthn_options"):
            answer = self.session.get(
                self._auth_endpoint, headers=self._get_auth_headers({"Accept": "application/json"})
            )
            found = parse_json(answer.content)
            names = ("fsaChallenge", "keyNames")
            options |= {name: found[name] for name in names if name in found}
        return options

    @property
    def wants_security_key(self) -> bool:
        """True when only a hardware key answers the challenge."""
        return self.two_factor_delivery_method == "security_key"

    def prove_password(self) -> bool:
        """Sign in with password and trust from the start; False when Apple wants a code as well."""
        self._srp_authentication()
        if self._requires_mfa:
            return False
        self._authenticate_with_token()
        self._update_state()
        return self.is_trusted_session

    @property
    def has_challenge(self) -> bool:
        """True when a challenge of this process waits for its code."""
        return bool(self._auth_data)

    @property
    def phone(self) -> dict[str, Any] | None:
        """What Apple calls the phone that gets codes: an identifier, not the number."""
        phone = self._trusted_phone_number()
        if phone is None:
            return None
        return {**phone.as_phone_number_payload(), "pushMode": phone.push_mode}

    def resume_challenge(self, method: str, phone: dict[str, Any] | None) -> None:
        """Take up a challenge that another process was given."""
        self._requires_mfa = True
        if method == "sms" and phone:
            self._auth_data = {"trustedPhoneNumber": phone, "mode": "sms"}
            self._set_two_factor_delivery_state("sms")
        else:
            self.use_existing_trusted_device_code()

    def keep_files(self) -> None:
        """Write this session's files again, over those of an attempt that failed."""
        self.session._save_session_data()

    def adopt(self, data: Mapping[str, Any]) -> None:
        """Use the account data that validating the stored session gave."""
        self.data = dict(data)
        self._update_state()

    # --- requests ---------------------------------------------------------------------------------

    @property
    def has_stored_session(self) -> bool:
        """True when there is something to validate."""
        return bool(self.session.data.get("session_token")) and any(
            cookie.name == _SESSION_COOKIE for cookie in self.session.cookies
        )

    @property
    def trust_ends(self) -> int | None:
        """When Apple means to ask for a code again, in milliseconds since 1970; None if unknown.

        It is the end of the cookie that stands for the trust in this browser. Apple sets it (30 to
        90 days have been reported) and may end the trust earlier without telling.
        """
        ends = [c.expires for c in self.session.cookies if c.name == _TRUST_COOKIE and c.expires]
        return max(ends) * 1000 if ends else None

    @property
    def web_access_off(self) -> bool:
        """True when the account's data says that its owner switched off iCloud on the web."""
        owner = self.data.get("dsInfo")
        return isinstance(owner, Mapping) and owner.get("isWebAccessAllowed") is False

    def ask_setup(self, operation: str, **arguments: Any) -> Response:
        """A POST to the setup service, whatever the status of the answer."""
        return self.ask(f"{self._setup_endpoint}/{operation}", **arguments)

    def ask(self, url: str, **arguments: Any) -> Response:
        """A signed POST, whatever the status of the answer. Raises PyiCloudException."""
        return self.session.request_raw("POST", url, **arguments)


def is_kind(error: BaseException, *names: str) -> bool:
    """Whether ``error`` is one of pyicloud's, by name: older versions lack some of them."""
    kinds = tuple(kind for name in names if (kind := getattr(exceptions, name, None)))
    return isinstance(error, kinds)
