"""What a WebDAV server answers: lists of files as XML, and status codes."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree as ET

from ..errors import (
    BodyTooLarge,
    FileVanished,
    NameRefused,
    PipelineError,
    TargetAuthFailed,
    TargetFull,
    TargetReadOnly,
    TargetUnreachable,
    ThrottledError,
    TransientError,
)

PROPERTIES: Final = (
    b'<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop><resourcetype/>'
    b"<getcontentlength/><getlastmodified/><quota-available-bytes/></prop></propfind>"
)
_MEANINGS: Final[dict[int, type[PipelineError]]] = {
    401: TargetAuthFailed,
    403: TargetReadOnly,
    404: FileVanished,
    405: TargetReadOnly,
    409: TargetUnreachable,  # the folder went after we made it; the next try makes it again
    410: FileVanished,
    413: BodyTooLarge,
    414: NameRefused,
    422: NameRefused,
    429: ThrottledError,
    502: TargetUnreachable,
    503: TargetUnreachable,
    504: TargetUnreachable,
    507: TargetFull,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or folder of a list."""

    path: str
    """Decoded, as on the server, without a slash at the end."""
    folder: bool
    size: int | None
    changed: str | None
    """An HTTP date."""
    free: int | None


def explain(status: int, path: str) -> PipelineError:
    """The named error for a status; what hits one file only is transient."""
    kind = _MEANINGS.get(status, TransientError)
    return kind(f"WebDAV: HTTP {status} for {path}", path=path)


def parse_list(body: bytes) -> list[Entry]:
    """The entries of a ``multistatus``. Blocking for long lists; raises ValueError."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise ValueError("a list with a document type: no server has a reason for one")
    try:
        root = ET.fromstring(body)  # noqa: S314 without document type it can define no entities
    except ET.ParseError as err:
        raise ValueError(str(err)) from err
    if root.tag != "{DAV:}multistatus":
        raise ValueError(f"{root.tag} is no list")
    return [_entry(response) for response in root.iter("{DAV:}response")]


def _entry(response: ET.Element) -> Entry:
    path = unquote(urlsplit(response.findtext("{DAV:}href", "").strip()).path)
    values: dict[str, str] = {}
    folder = False
    for part in response.iter("{DAV:}propstat"):
        if " 200" not in part.findtext("{DAV:}status", " 200"):
            continue  # properties that the server does not have
        for value in part.iterfind("{DAV:}prop/*"):
            values[value.tag] = (value.text or "").strip()
            folder = folder or value.find("{DAV:}collection") is not None
    return Entry(
        path.rstrip("/"),
        folder,
        _number(values.get("{DAV:}getcontentlength")),
        values.get("{DAV:}getlastmodified"),
        _number(values.get("{DAV:}quota-available-bytes")),
    )


def _number(text: str | None) -> int | None:
    """Nextcloud says -1 to -3 where it knows no number."""
    try:
        value = int(text or "")
    except ValueError:
        return None
    return value if value >= 0 else None
