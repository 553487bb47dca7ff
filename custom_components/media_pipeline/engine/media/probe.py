"""What a file says about itself: size, date, place, camera, codec, kind, and who its pair is.

Runs in the child process. Nothing is decoded; headers are read.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from .container import check_container

_VIDEO: Final = frozenset({"mov", "mp4", "avi"})


def probe_file(path: Path) -> dict[str, Any]:
    """Return a ProbeResult as a dict; raises BrokenContainer, ErrorBody or MediaUnreadable."""
    container = check_container(path)
    if is_film(path, container):
        from .probe_video import probe_video

        return asdict(probe_video(path, container))
    from .probe_photo import probe_photo

    return asdict(probe_photo(path, container))


def is_film(path: Path, container: str) -> bool:
    """Whether a file of that kind (see ``check_container``) is a film, in any box we can open."""
    return container in _VIDEO or (container == "unknown" and _is_video(path))


def _is_video(path: Path) -> bool:
    import av

    try:
        with av.open(str(path)) as file:
            return bool(file.streams.video) and float(file.duration or 0) > 0
    except av.FFmpegError:
        return False
