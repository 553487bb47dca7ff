"""Is a media file whole? Decoders answer "yes" for half a download, so its container is walked.

Looks at content, never at the name. Boxes are sought over, so a film of 2 GB costs no more than a
photo. Synchronous; callers on an event loop use an executor.
"""

import re
from collections.abc import Callable
from pathlib import Path

from ..errors import BrokenContainer, ErrorBody, FileVanished
from .bmff import walk_bmff
from .data import Data
from .jpeg import walk_jpeg
from .rasters import walk_gif, walk_plist, walk_png, walk_riff
from .tiff import walk_tiff

# Endings of which we know how the content must begin: anything else in there is broken.
_MUST_BE_KNOWN = frozenset(
    {
        ".jpg", ".jpeg", ".heic", ".heif", ".hif", ".avif", ".png", ".gif", ".webp", ".tif",
        ".tiff", ".dng", ".mov", ".mp4", ".m4v", ".aae",
    }
)  # fmt: skip
_TEXT_ALLOWED = frozenset({".json", ".xml", ".xmp", ".svg", ".html", ".htm", ".txt"})
_BUFFER = 4096  # ``Data`` has a window of its own
_BOX_KINDS = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
_MARKUP = re.compile(rb"<(!doctype|html|head|body|\?xml|error)[\s>]", re.IGNORECASE)
_JSON = re.compile(rb'(\{\s*("|\}\s*$)|\[\s*(\{|"|\]\s*$))')


def check_container(path: Path, expected: str | None = None) -> str:
    """Return what the file is, proven to be whole.

    ``expected`` is a file name's ending such as ``.heic`` (any case, dot optional). The answer is
    one of ``jpeg png gif webp avi heif avif mov mp4 cr3 tiff plist unknown``.

    Raises BrokenContainer (cut short, empty, or unknown content behind a well-known ending),
    ErrorBody (an HTML, XML or JSON error text) or FileVanished.
    """
    suffix = "" if expected is None else "." + expected.lower().lstrip(".")
    try:
        with path.open("rb", buffering=_BUFFER) as file:
            return check_data(Data(file), suffix)
    except FileNotFoundError as err:
        raise FileVanished(str(err)) from err


def is_error_text(path: Path) -> bool:
    """Whether a file begins like an HTML, XML or JSON error text, and like no media we know."""
    with path.open("rb", buffering=_BUFFER) as file:
        head = Data(file).read(0, 512)
    return _walker(head) is None and _is_error_text(head)


def check_data(data: Data, suffix: str = "") -> str:
    """Like ``check_container`` for data that is open already; ``suffix`` is lower case with dot."""
    head = data.read(0, 512)
    if not head:
        raise BrokenContainer("the file is empty")
    if (walker := _walker(head)) is not None:
        return walker(data)
    if suffix not in _TEXT_ALLOWED and _is_error_text(head):
        raise ErrorBody(f"starts with {head[:60]!r}")
    if suffix in _MUST_BE_KNOWN:
        raise BrokenContainer(f"content of a {suffix} file is not recognised: {head[:16].hex()}")
    return "unknown"


def _walker(head: bytes) -> Callable[[Data], str] | None:
    """The check for content that begins like this; None when it is unknown."""
    if head[:2] == b"\xff\xd8":
        return walk_jpeg
    if head[4:8] in _BOX_KINDS:
        return walk_bmff
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        return walk_png
    if head[:6] in {b"GIF87a", b"GIF89a"}:
        return walk_gif
    if head[:4] == b"RIFF":
        return walk_riff
    if head[:4] in {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}:
        return walk_tiff
    if (
        head[:6] == b"bplist"
        or (head[:5] == b"<?xml" and b"<plist" in head)
        or head[:6] == b"<plist"
    ):
        return walk_plist
    return None


def _is_error_text(head: bytes) -> bool:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return bool(_MARKUP.match(text) or _JSON.match(text))
