"""The private folder of a session: good backups of what pyicloud writes, and what we remember."""

import hashlib
import hmac
import http.cookiejar
import json
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from ...private_file import write_private

_BACKUP_SUFFIX: Final = ".good"
_BACKUP_PAUSE: Final = 60.0


class SessionFiles:
    """pyicloud rewrites its two files in place at every request; a crash in between tears them.

    All methods block.
    """

    def __init__(self, folder: Path, apple_id: str, password: str) -> None:
        self.folder = folder
        name = "".join(c for c in apple_id if c.isalnum() or c == "_")
        self._session = folder / f"{name}.session"
        self._cookies = folder / f"{name}.cookiejar"
        self._state = folder / "state.json"
        self._secret = f"{apple_id}\0{password}".encode()
        self._backed_up = 0.0

    def prepare(self) -> None:
        """Make the folder private and put back what a crash has torn."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)
        for path, whole in ((self._session, _whole_session), (self._cookies, _whole_cookies)):
            backup = path.with_name(path.name + _BACKUP_SUFFIX)
            if not whole(path) and whole(backup):
                write_private(path, backup.read_bytes())
        self.protect()

    def protect(self) -> None:
        """Nobody else may read the files; pyicloud creates them readable."""
        for path in (self._session, self._cookies):
            with suppress(FileNotFoundError):
                if path.stat().st_mode & 0o077:
                    path.chmod(0o600)

    def succeeded(self, *, now: bool = False) -> None:
        """Keep copies of the files as they are after a success; at most once a minute."""
        self.protect()
        if not now and time.monotonic() - self._backed_up < _BACKUP_PAUSE:
            return
        self._backed_up = time.monotonic()
        if not (_whole_session(self._session) and _whole_cookies(self._cookies)):
            return
        for path in (self._session, self._cookies):
            backup = path.with_name(path.name + _BACKUP_SUFFIX)
            content = path.read_bytes()
            if not backup.exists() or backup.read_bytes() != content:
                write_private(backup, content)

    # --- what we remember over restarts -----------------------------------------------------------

    def _read(self) -> dict[str, Any]:
        try:
            state = json.loads(self._state.read_text(encoding="utf-8"))
        except OSError, ValueError:
            return {}
        return state if isinstance(state, dict) else {}

    def _print(self, salt: str) -> str:
        return hashlib.scrypt(self._secret, salt=salt.encode(), n=2**14, r=8, p=1, dklen=8).hex()

    @property
    def challenge(self) -> dict[str, Any] | None:
        """The unanswered question for a code, if it was asked for this account and password."""
        challenge = self._read().get("challenge")
        if not isinstance(challenge, dict):
            return None
        known = self._print(str(challenge.get("salt")))
        return challenge if hmac.compare_digest(known, str(challenge.get("print"))) else None

    def remember_challenge(self, method: str, phone: dict[str, Any] | None) -> None:
        """Apple is about to ask for a code; don't make it ask again by ourselves."""
        salt = secrets.token_hex(8)
        challenge = {
            "method": method,
            "phone": phone,
            "salt": salt,
            "print": self._print(salt),
            "asked": int(time.time()),
        }
        self._write_state(challenge=challenge)

    @property
    def refusal(self) -> str | None:
        """Key of the error that Apple answered to this very account and password; None if none."""
        refusal = self._read().get("refusal")
        if not isinstance(refusal, dict):
            return None
        known = self._print(str(refusal.get("salt")))
        same = hmac.compare_digest(known, str(refusal.get("print")))
        return str(refusal.get("key")) if same else None

    def remember_refusal(self, key: str) -> None:
        """Never try this password again by ourselves: Apple locks accounts for that."""
        salt = secrets.token_hex(8)
        refusal = {"key": key, "salt": salt, "print": self._print(salt), "at": int(time.time())}
        self._write_state(refusal=refusal)

    def forget_refusal(self) -> None:
        """Apple took the password."""
        if "refusal" in self._read():
            self._write_state(refusal=None)

    def forget_challenge(self) -> None:
        """The code was accepted, or none is wanted."""
        if "challenge" in self._read():
            self._write_state(challenge=None)

    @property
    def consent_asked(self) -> float:
        """When a device was last asked to consent to web access, seconds since 1970."""
        value = self._read().get("consent_asked")
        return float(value) if isinstance(value, int | float) else 0.0

    @consent_asked.setter
    def consent_asked(self, value: float) -> None:
        if value or self.consent_asked:
            self._write_state(consent_asked=value)

    @property
    def trusted(self) -> float:
        """When Apple last trusted this session anew, seconds since 1970."""
        value = self._read().get("trusted")
        return float(value) if isinstance(value, int | float) else 0.0

    @property
    def trust_tried(self) -> float:
        """When we last asked for new trust, seconds since 1970."""
        value = self._read().get("trust_tried")
        return float(value) if isinstance(value, int | float) else 0.0

    def remember_trust(self, *, granted: bool) -> None:
        """The trust was renewed now, or only asked for."""
        self._write_state(**{"trusted" if granted else "trust_tried": time.time()})

    def _write_state(self, **changes: Any) -> None:
        state = {**self._read(), **changes}
        content = json.dumps({key: value for key, value in state.items() if value})
        write_private(self._state, content.encode())


def _whole_session(path: Path) -> bool:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError, ValueError:
        return False
    return isinstance(data, dict) and bool(data.get("session_token") or data.get("client_id"))


def _whole_cookies(path: Path) -> bool:
    try:
        if path.stat().st_size == 0:
            return False
        http.cookiejar.LWPCookieJar(str(path)).load(ignore_discard=True, ignore_expires=True)
    except OSError, ValueError:
        return False
    return True
