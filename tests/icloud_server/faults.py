"""Faults on demand: which request, how often, and what goes wrong."""

import dataclasses
import random
import re
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Fault:
    """One rule. Empty patterns match everything; the rest says what goes wrong."""

    op: str = ""
    """Regular expression for the whole operation name, such as `content` or `query|lookup`."""
    host: str = ""
    path: str = ""
    """Regular expressions searched for in host and path with query."""
    times: int | None = None
    skip: int = 0
    probability: float = 1.0

    latency_ms: int = 0
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    json: Any = None
    html: str = ""
    """An answer instead of the true one; `json` or `html` without `status` come with 200."""
    drop: bool = False
    """Close the connection without an answer."""

    cut_after: int = -1
    """Content: announce the true length, close the connection after so many bytes."""
    truncate_at: int = -1
    """Content: announce and send only so many bytes, as if that were all."""
    flip: int = -1
    """Content: change the byte at this offset."""
    ignore_range: bool = False
    """Content: answer 200 with everything although a range was asked for."""
    shift_range: int = 0
    """Content: answer 206 with bytes from so much further on, with a matching Content-Range."""
    expired: bool = False
    """Content: treat the address as expired."""
    rate: int = 0
    """Content: at most so many bytes in a second."""
    wrong_total: int = 0
    """Content: a Content-Range that makes the whole so many bytes longer."""
    pad: int = 0
    """Content: announce and send so many more bytes than there are."""
    zeros_from: int = -1
    """Content: the right length, but nothing but zeros from this offset on."""
    other: int = 0
    """Content: the bytes of the asset so much further on (as long when it is 8 of a kind)."""
    gzip: bool = False
    """Content: compressed, and said to be so, although nobody asked for it."""
    text: str = ""
    """Content: this text in place of the bytes, as if all were well."""
    same_length: bool = False
    """Content: fill the text up with spaces to the true length."""
    content_type: str = ""
    """Content: what the bytes are said to be."""

    record_error: str = ""
    """Modify and lookup: an error item with this code for the records concerned."""
    retry_after: int = 0
    records: int = 1
    """Modify and lookup: how many records are concerned, from the first; 0 means all."""
    lie: bool = False
    """Modify: answer success for the records concerned, change nothing."""
    omit: bool = False
    """Modify and lookup: do nothing for the records concerned and do not mention them."""
    mute: bool = False
    """Modify: do as asked and do not mention the records concerned."""
    hits: int = 0

    @property
    def of_bytes(self) -> bool:
        """Whether it changes how the bytes of a resource are sent."""
        return (
            any(at >= 0 for at in (self.cut_after, self.truncate_at, self.flip, self.zeros_from))
            or any((self.shift_range, self.wrong_total, self.pad, self.other, self.rate))
            or self.ignore_range
            or self.gzip
            or bool(self.text or self.content_type)
        )

    def matches(self, op: str, host: str, path: str) -> bool:
        """Whether this rule is about such a request."""
        return (
            (not self.op or re.fullmatch(self.op, op) is not None)
            and (not self.host or re.search(self.host, host) is not None)
            and (not self.path or re.search(self.path, path) is not None)
        )


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []
        self._random = random.Random(0)

    def add(self, **fields: Any) -> None:
        """One more rule; unknown fields are refused."""
        known = {entry.name for entry in dataclasses.fields(Fault)} - {"hits"}
        if unknown := set(fields) - known:
            raise ValueError(f"unknown fields of a fault: {', '.join(sorted(unknown))}")
        self.rules.append(Fault(**fields))

    def take(self, op: str, host: str, path: str) -> list[Fault]:
        """The rules that strike this request, used up as they say."""
        struck: list[Fault] = []
        for rule in list(self.rules):
            if not rule.matches(op, host, path):
                continue
            if rule.skip > 0:
                rule.skip -= 1
                continue
            if rule.probability < 1 and self._random.random() >= rule.probability:
                continue
            rule.hits += 1
            if rule.times is not None and rule.hits >= rule.times:
                self.rules.remove(rule)
            struck.append(rule)
        return struck
