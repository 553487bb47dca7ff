"""Random faults on a share of all answers: which kinds there are for each sort of request."""

import random
from collections import Counter
from typing import Any

from .faults import Fault

HTML = (
    "<!DOCTYPE html><html><head><title>Error</title></head><body>Service Unavailable</body></html>"
)
STATUS = (401, 403, 404, 409, 410, 421, 429, 450, 500, 503)
SIGN_IN = frozenset(
    {
        "authorize", "signin_init", "signin", "auth_options", "send_code", "verify_code", "trust",
        "account_login", "validate", "web_access", "storage",
    }
)  # fmt: skip


def _common(seconds: int) -> dict[str, dict[str, Any]]:
    """What may happen to any answer of any host."""
    busy = {"serverErrorCode": "THROTTLED", "reason": "too many", "retryAfter": seconds}
    kinds: dict[str, dict[str, Any]] = {f"status {status}": {"status": status} for status in STATUS}
    for status in (429, 503):
        kinds[f"status {status}, Retry-After"] = {
            "status": status,
            "headers": {"Retry-After": str(seconds)},
        }
        kinds[f"status {status}, retryAfter in the body"] = {"status": status, "json": busy}
    return kinds | {
        "connection dropped": {"drop": True},
        "answer cut off": {"cut_after": 40},
        "answer truncated": {"truncate_at": 40},
        "late": {"latency_ms": 150},
        "HTML for an answer": {"html": HTML},
        "JSON without content": {"json": {}},
        "JSON list": {"json": []},
        "status 403, denied": {"status": 403, "json": {"serverErrorCode": "ACCESS_DENIED"}},
    }


def _database(seconds: int) -> dict[str, dict[str, Any]]:
    """What may happen to the photo database besides."""
    kinds: dict[str, dict[str, Any]] = {
        code: {"json": {"serverErrorCode": code, "reason": "later", "retryAfter": seconds}}
        for code in ("TRY_AGAIN_LATER", "ZONE_BUSY")
    }
    kinds["session lost"] = {"order": "logout_all"}
    kinds["addresses expired"] = {"order": "expire_urls"}
    return kinds


def _records(seconds: int) -> dict[str, dict[str, Any]]:
    return {
        "record error, throttled": {"record_error": "THROTTLED", "retry_after": seconds},
        "record error, internal": {"record_error": "INTERNAL_ERROR", "records": 3},
        "record left out": {"omit": True},
        "all records left out": {"omit": True, "records": 0},
    }


OWN: dict[str, dict[str, dict[str, Any]]] = {
    "query": {"page without records": {"json": {"records": [], "syncToken": ""}}},
    "changes_database": {"tokens refused": {"order": "reject_tokens"}},
    "changes_zone": {
        "tokens refused": {"order": "reject_tokens"},
        "empty pages": {"order": "empty_pages"},
    },
    "lookup": {"record error, not found": {"record_error": "NOT_FOUND", "records": 2}},
    "modify": {
        "record error, conflict": {"record_error": "CONFLICT"},
        "lie": {"lie": True, "records": 2},
        "mute": {"mute": True, "records": 2},
    },
    "content": {
        "expired": {"expired": True},
        "body cut off": {"cut_after": 5000},
        "short body": {"truncate_at": 5000},
        "empty body": {"truncate_at": 0},
        "long body": {"pad": 77},
        "changed byte": {"flip": 3000},
        "end of zeros": {"zeros_from": 3000},
        "bytes of another": {"other": 1},
        "bytes of another, as long": {"other": 40},
        "range ignored": {"ignore_range": True},
        "range shifted": {"shift_range": 3},
        "range of another length": {"wrong_total": 5},
        "compressed": {"gzip": True},
        "HTML said to be bytes": {"text": HTML},
        "JSON, as long": {"text": '{"error": "internal"}', "same_length": True},
        "slow": {"rate": 400_000},
    },
}


class Chaos:
    """Strikes a share of all answers, each with one kind of fault."""

    def __init__(self, rate: float, seed: int, seconds: int, without: str) -> None:
        """``seconds`` is what is said in Retry-After; ``without`` names kinds to leave out."""
        self.rate = rate
        self.struck: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._seconds = seconds
        self._without = {kind.strip() for kind in without.split(";") if kind.strip()}

    def kinds(self, op: str) -> dict[str, dict[str, Any]]:
        """The kinds of fault that a request may meet, by name."""
        found = _common(self._seconds) | OWN.get(op, {})
        if op not in SIGN_IN and op != "content":
            found |= _database(self._seconds)
        if op in {"lookup", "modify"}:
            found |= _records(self._seconds)
        return {name: fault for name, fault in found.items() if name not in self._without}

    def strike(self, op: str) -> tuple[Fault | None, str]:
        """A fault for this request, or an order for the whole stand-in; mostly neither."""
        host = "sign-in" if op in SIGN_IN else "content" if op == "content" else "database"
        self.answers[host] += 1
        if self._random.random() >= self.rate:
            return None, ""
        name, fields = self._random.choice(sorted(self.kinds(op).items()))
        self.struck[f"{host}: {name}"] += 1
        if "order" in fields:
            return None, str(fields["order"])
        return Fault(**fields), ""
