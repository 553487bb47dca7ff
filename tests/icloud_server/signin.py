"""idmsa.apple.com: SRP, the second factor, and trust."""

import base64
import hashlib
import json
import secrets
from collections.abc import Callable
from typing import Any, Protocol, cast

import srp._pysrp as pysrp
from aiohttp import web

from .account import ITERATIONS, Account, Session
from .answers import Json, body_of, html, reply

PHONE = {
    "id": 1,
    "numberWithDialCode": "+1 (•••) •••-••11",
    "obfuscatedNumber": "(•••) •••-••11",
    "lastTwoDigits": "11",
    "pushMode": "sms",
    "nonFTEU": False,
}


SECURITY_KEYS: Json = {
    "keyNames": ["Blue key", "Spare key"],
    "fsaChallenge": {
        "challenge": "c29tZSBjaGFsbGVuZ2U",
        "keyHandles": ["a2V5IG9uZQ", "a2V5IHR3bw"],
        "rpId": "apple.com",
    },
}


class _Verifier(Protocol):
    def get_challenge(self) -> tuple[bytes | None, bytes | None]: ...
    def verify_session(self, proof: bytes, /) -> bytes | None: ...


def _error(code: str, title: str, status: int) -> web.Response:
    return reply(
        {"serviceErrors": [{"code": code, "title": title, "message": title}], "hasError": True},
        status=status,
    )


class SignIn:
    """Answers the sign-in host for one account."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self._challenges: dict[str, tuple[str, _Verifier]] = {}

    async def authorize(self, _request: web.BaseRequest) -> web.Response:
        """The page that opens a sign-in."""
        answer = html("<html><body>Sign in</body></html>")
        answer.headers["scnt"] = secrets.token_hex(32)
        answer.headers["X-Apple-Auth-Attributes"] = secrets.token_urlsafe(40)
        return answer

    async def init(self, request: web.BaseRequest) -> web.Response:
        """Step one of SRP."""
        data = await body_of(request)
        for enable in (pysrp.rfc5054_enable, pysrp.no_username_in_x):
            cast("Callable[[], None]", enable)()
        protocol = "s2k" if "s2k" in data["protocols"] else "s2k_fo"
        modulus, generator = cast("Callable[..., tuple[int, int]]", pysrp.get_ng)(
            pysrp.NG_2048, None, None
        )
        inner = hashlib.sha256(b":" + self.account.secret(protocol)).digest()
        exponent = int.from_bytes(hashlib.sha256(self.account.salt + inner).digest())
        verifier = pow(generator, exponent, modulus).to_bytes(256)
        check = cast(
            "_Verifier",
            cast("Callable[..., Any]", pysrp.Verifier)(
                data["accountName"],
                self.account.salt,
                verifier,
                base64.b64decode(data["a"]),
                hash_alg=pysrp.SHA256,
                ng_type=pysrp.NG_2048,
            ),
        )
        salt, public = check.get_challenge()
        if salt is None or public is None:
            return _error("-20101", "Bad request", 400)
        name = f"d-{secrets.token_hex(12)}:MSA"
        if len(self._challenges) > 1000:
            self._challenges.clear()
        self._challenges[name] = (str(data["accountName"]), check)
        return reply(
            {
                "iteration": ITERATIONS,
                "salt": base64.b64encode(salt).decode(),
                "protocol": protocol,
                "b": base64.b64encode(public).decode(),
                "c": name,
                "version": 1,
            }
        )

    async def complete(self, request: web.BaseRequest) -> web.Response:
        """Step two of SRP: proof, then either in, or on to the second factor."""
        data = await body_of(request)
        name, check = self._challenges.pop(str(data["c"]), ("", None))
        proven = check is not None and check.verify_session(base64.b64decode(data["m1"]))
        if not proven or name.lower() != self.account.apple_id.lower():
            self.account.passwords_refused += 1
            return _error("-20101", "Check the account information you entered and try again.", 401)
        if self.account.locked:
            return _error("-20209", "This Apple Account has been locked for security reasons.", 403)
        trust_ends = self.account.trust_until(data.get("trustTokens", ()))
        identifier, token = self.account.open_session(trust_ends=trust_ends)
        answer = reply({"authType": "hsa2"}, status=200 if trust_ends else 409)
        answer.headers.update(
            {
                "X-Apple-Session-Token": token,
                "X-Apple-ID-Session-Id": identifier,
                "X-Apple-ID-Account-Country": "USA",
                "X-Apple-TwoSV-Trust-Eligible": "true",
                "scnt": secrets.token_hex(32),
            }
        )
        return answer

    async def options(self, request: web.BaseRequest) -> web.Response:
        """Which second factors there are; HTML with boot data, or JSON."""
        phones: Json = {"trustedPhoneNumber": PHONE, "trustedPhoneNumbers": [PHONE]}
        if "html" not in request.headers.get("Accept", ""):
            keys = SECURITY_KEYS if self.account.security_keys else {}
            return reply({"authType": "hsa2", "phoneNumberVerification": phones, **phones, **keys})
        by_sms = self.account.delivery == "sms" and not self.account.security_keys
        boot = {
            "direct": {
                "authInitialRoute": "",
                "hasTrustedDevices": True,
                "twoSV": {
                    "authFactors": ["sms"] if by_sms else ["trusteddevice"],
                    "bridgeInitiateData": {"phoneNumberVerification": phones} if by_sms else {},
                },
            }
        }
        script = f'<script type="application/json" class="boot_args">{json.dumps(boot)}</script>'
        return html(f"<html><body>{script}</body></html>")

    def _session(self, request: web.BaseRequest) -> Session | None:
        return self.account.session_of(request.headers.get("X-Apple-ID-Session-Id", ""))

    async def send(self, request: web.BaseRequest) -> web.Response:
        """Send a code by SMS or to the trusted devices."""
        if self._session(request) is None:
            return _error("-20528", "Your session has ended", 401)
        if self.account.codes_locked:
            return _error("-22981", "Too many verification codes have been sent.", 423)
        self.account.codes_sent += 1
        self.account.code_expired = False
        return reply({"trustedPhoneNumber": PHONE, "mode": "sms", "type": "verification"})

    async def verify(self, request: web.BaseRequest) -> web.Response:
        """Check a code, whichever way it was delivered."""
        session = self._session(request)
        if session is None:
            return _error("-20528", "Your session has ended", 401)
        data = await body_of(request)
        if self.account.codes_locked:
            return reply({"securityCode": {"length": 6, "securityCodeLocked": True}}, status=423)
        if self.account.code_expired:
            return _error("-21654", "This code has expired.", 400)
        if str(data.get("securityCode", {}).get("code")) != self.account.code:
            return _error("-21669", "Incorrect verification code.", 400)
        session.code_accepted = True
        return web.Response(status=204)

    async def trust(self, request: web.BaseRequest) -> web.Response:
        """Trust this browser: the next sign-in needs no code."""
        session = self._session(request)
        if session is None or not (session.code_accepted or session.trusted):
            return _error("-20528", "Your session has ended", 401)
        identifier = request.headers["X-Apple-ID-Session-Id"]
        return web.Response(
            status=204,
            headers={
                "X-Apple-TwoSV-Trust-Token": self.account.grant_trust(session),
                "X-Apple-Session-Token": self.account.renew(identifier),
            },
        )
