"""The Apple account: password, codes, trusted browsers, sessions, consent."""

import hashlib
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

DSID = "20288408776"
DAY = 24 * 3600.0
ITERATIONS = 1000
"""Far fewer than Apple's 20064; the client takes the number from our answer."""


@dataclass(slots=True)
class Session:
    """One sign-in; `trusted` once a code or a trust token vouched for it."""

    trusted: bool = False
    code_accepted: bool = False
    trust_ends: float = 0.0
    """Seconds since 1970; what the trust cookie says."""


@dataclass(slots=True)
class Account:
    """The state of the one account that the stand-in knows."""

    apple_id: str
    password: str
    code: str
    delivery: str = "sms"
    code_expired: bool = False
    codes_locked: bool = False
    security_keys: bool = False
    china: bool = False
    web_access: bool = True
    locked: bool = False
    terms_version: int = 1
    terms_accepted: int = 1
    protected: bool = False
    consented: bool = False
    consent_asked: int = 0
    codes_sent: int = 0
    passwords_refused: int = 0
    trust_days: float = 90.0
    # the client's SRP library strips leading zero bytes of the salt and would never sign in
    salt: bytes = field(default_factory=lambda: b"\x5a" + secrets.token_bytes(15))
    sessions: dict[str, Session] = field(default_factory=dict)
    by_session_id: dict[str, str] = field(default_factory=dict)
    web_tokens: dict[str, bool] = field(default_factory=dict)
    trust_tokens: dict[str, float] = field(default_factory=dict)
    """Token → when it ends."""

    def secret(self, protocol: str) -> bytes:
        """What the client derives from the password."""
        digest = hashlib.sha256(self.password.encode()).digest()
        if protocol == "s2k_fo":
            digest = digest.hex().encode()
        return hashlib.pbkdf2_hmac("sha256", digest, self.salt, ITERATIONS, 32)

    def open_session(self, *, trust_ends: float) -> tuple[str, str]:
        """Start a session; return its id and its token."""
        identifier, token = secrets.token_hex(16), secrets.token_urlsafe(48)
        self.sessions[token] = Session(trusted=trust_ends > 0, trust_ends=trust_ends)
        self.by_session_id[identifier] = token
        return identifier, token

    def session_of(self, identifier: str) -> Session | None:
        """The session whose id the client sends along."""
        return self.sessions.get(self.by_session_id.get(identifier, ""))

    def renew(self, identifier: str) -> str:
        """A new token for a session that has just been trusted."""
        session = self.sessions.pop(self.by_session_id[identifier])
        token = secrets.token_urlsafe(48)
        self.sessions[token] = session
        self.by_session_id[identifier] = token
        return token

    def grant_trust(self, session: Session) -> str:
        """A trust token that saves the next code, until it ends."""
        token = secrets.token_urlsafe(64)
        session.trusted = True
        session.trust_ends = self.trust_tokens[token] = time.time() + self.trust_days * DAY
        return token

    def trust_until(self, tokens: Iterable[str]) -> float:
        """When the longest trust of these tokens ends; 0 when none of them is good any more."""
        ends = max((self.trust_tokens.get(token, 0.0) for token in tokens), default=0.0)
        return ends if ends > time.time() else 0.0

    def grant_web_token(self, *, trusted: bool) -> str:
        """The cookie value that the other services accept."""
        token = "v=2:t=" + secrets.token_urlsafe(32)
        self.web_tokens[token] = trusted
        return token

    def knows(self, web_token: str) -> bool:
        """Whether this cookie value is a live, trusted session."""
        return self.web_tokens.get(web_token, False)

    def logout_all(self) -> None:
        """End all sessions; trusted browsers stay trusted."""
        self.sessions.clear()
        self.by_session_id.clear()
        self.web_tokens.clear()

    def forget_sign_ins(self) -> None:
        """The sign-in host forgets its sessions, as it does soon; cookies and trust stay good."""
        self.sessions.clear()
        self.by_session_id.clear()

    def untrust(self) -> None:
        """Forget trusted browsers as well: the next sign-in needs a code."""
        self.logout_all()
        self.trust_tokens.clear()

    @property
    def terms_pending(self) -> bool:
        """Whether new terms wait to be accepted."""
        return self.terms_accepted < self.terms_version
