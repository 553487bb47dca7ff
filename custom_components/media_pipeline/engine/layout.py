"""Where a copy lies at a target: a path with tokens, such as ``{year}/{month}/{name}``."""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from .errors import InvalidLayout
from .names import collision_key, portable_name

DEFAULT_LAYOUT: Final = "{year}/{month}/{name}"
"""As in the archive."""
TOKENS: Final = frozenset(
    {"year", "month", "day", "album", "library", "kind", "camera", "id", "name"}
)
_TOKEN: Final = re.compile(r"\{(\w*)\}")
_MAX_LAYOUT: Final = 200
_UNDATED: Final = "undated"
_PERSONAL: Final = "PrimarySync"
_SHARED: Final = "SharedSync-"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutFacts:
    """What the tokens stand for."""

    name: str
    """The file's name in the archive, with its suffix."""
    folder: str
    """``YYYY/MM`` or ``undated``, as in the archive."""
    key: str
    """The asset's."""
    library: str
    kind: str
    tree: str = ""
    """Of smaller versions and other derivatives: ``compressed``, as in the archive."""
    captured: int | None = None
    album: str | None = None
    """Path of an album, its folders joined by ``/``."""
    camera: str | None = None


EXAMPLE: Final = LayoutFacts(
    name="IMG_0042.HEIC",
    folder="2024/05",
    key="PrimarySync/example",
    library=_PERSONAL,
    kind="photo",
    captured=1_715_500_000_000,
    album="Trips/Rome",
    camera="iPhone 15 Pro",
)


def check_layout(layout: str) -> str:
    """Return ``layout``, without blanks around it. Raises InvalidLayout, which says why.

    Two files may never ask for one path, so the name is part of it, and with it either year and
    month (the archive has each name once in a month) or the asset's ``id``.
    """
    text = layout.strip()
    tokens = _TOKEN.findall(text)
    plain = _TOKEN.sub("", text)
    reason = ""
    if unknown := [token for token in tokens if token not in TOKENS]:
        reason = f"{{{unknown[0]}}}"
    elif "{" in plain or "}" in plain:
        reason = "{ }"
    elif tokens.count("name") != 1 or not text.endswith("{name}"):
        reason = "{name}"
    elif "id" not in tokens and not {"year", "month"} <= set(tokens):
        reason = "{year}/{month}"
    elif text.startswith("/") or "\\" in text or len(text) > _MAX_LAYOUT:
        reason = "/" if text.startswith("/") else text[:40]
    else:
        for part in text.split("/"):
            fixed = _TOKEN.sub("x", part)
            if not part or part.startswith(".") or portable_name(fixed) != fixed:
                reason = part or "//"
    if reason:
        raise InvalidLayout(f"{layout!r}: {reason}", reason=reason)
    return text


def needs(layout: str, token: str) -> bool:
    """Whether a layout has this token."""
    return f"{{{token}}}" in layout


def lay_out(layout: str, facts: LayoutFacts) -> str:
    """The relative, portable path of one file."""
    values = _values(facts)
    parts = [facts.tree] if facts.tree else []
    *folders, last = layout.split("/")
    for folder in folders:
        if folder == "{album}":  # its folders become folders
            parts += [portable_name(name) for name in (facts.album or "no album").split("/")]
            continue
        text = _TOKEN.sub(lambda match: values[match[1]], folder).strip(" -_.")
        if text:
            parts.append(portable_name(text.replace("/", "_")))
    before = _TOKEN.sub(lambda match: values[match[1]], last.removesuffix("{name}"))
    before = before.replace("/", "_").lstrip(" -_.")
    return "/".join([*parts, portable_name(before + facts.name) if before else facts.name])


def example(layout: str) -> str:
    """What a path looks like."""
    return lay_out(layout, EXAMPLE)


def _values(facts: LayoutFacts) -> dict[str, str]:
    year, _, month = facts.folder.partition("/")
    return {
        "year": year,
        "month": month,
        "day": _day(facts) if month else "",
        "album": facts.album or "no album",
        "library": _library(facts.library),
        "kind": facts.kind,
        "camera": facts.camera or "no camera",
        "id": hashlib.sha256(facts.key.encode()).hexdigest()[:10],
        "name": "",
    }


def _day(facts: LayoutFacts) -> str:
    if facts.captured is None or facts.folder == _UNDATED:
        return ""
    return f"{datetime.fromtimestamp(facts.captured / 1000, UTC).day:02d}"


def _library(key: str) -> str:
    """Zone names are for machines; only what tells several shared libraries apart is kept."""
    if key == _PERSONAL:
        return "personal"
    return f"shared {key.removeprefix(_SHARED)[:8]}" if key.startswith(_SHARED) else key


def same_album(name: str, path: str) -> bool:
    """Whether a rule's name means this album: its path, its name, or a folder that it lies in."""
    wanted = collision_key(name.strip("/ "))
    parts = [collision_key(part) for part in path.split("/")]
    return wanted in parts or wanted == "/".join(parts)
