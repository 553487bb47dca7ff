"""The child process: one job, one file, then gone. A crash in here costs that file, nothing else.

Forked by ``fork_server``. Gets the job as a line of JSON on standard input, which stays open: when
that closes, Home Assistant is gone and so is the child. Answers with lines of JSON on standard
output, ``{"progress": ...}`` while it gets on and one result at the end. Imports only the standard
library and the media libraries, never Home Assistant. Leaves by ``os._exit``: interpreter shutdown
can dead-lock on FFmpeg's decoder threads.
"""

import contextlib
import errno
import faulthandler
import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..children import never_in_real_time
from ..errors import (
    FileVanished,
    MediaUnreadable,
    MediaWorkerMemory,
    PipelineError,
    TargetFull,
)
from .jobs import Captions, PhotoFormat, PhotoPreset, VideoCodec, VideoPreset
from .memory import near_limit, peak_resident
from .outcome import Outcome

_FULL = {errno.ENOSPC, errno.EDQUOT}
_LONGEST_JOB = 1 << 20


def main() -> None:
    """Do the job that comes on standard input and end the process; never returns."""
    out = os.dup(1)
    os.dup2(2, 1)  # whatever a C library prints is no answer
    faulthandler.enable()
    job = _read_job()
    _limit(job["limits"])
    partial = Path(job["partial"]) if job.get("partial") else None
    threading.Thread(target=_end_with_parent, args=(partial,), daemon=True).start()
    answer: dict[str, Any]
    try:
        answer = {"ok": True, "result": _run(job, _Progress(out))}
    except PipelineError as err:
        # Short of memory, libraries say anything: only the address space tells.
        short = isinstance(err, MediaUnreadable) and near_limit()
        key = MediaWorkerMemory.key if short else err.key
        answer = {"ok": False, "error": key, "detail": err.detail}
    except MemoryError as err:
        answer = {"ok": False, "error": MediaWorkerMemory.key, "detail": f"out of memory: {err}"}
    except OSError as err:
        answer = {"ok": False, "error": _os_error_key(err, job), "detail": repr(err)}
    if partial and not (answer["ok"] and answer["result"].get("kept")):
        partial.unlink(missing_ok=True)
    _answer(out, answer | {"cpu_seconds": time.process_time(), "peak_rss": peak_resident() or 0})
    sys.stderr.flush()
    os._exit(0)


def _run(job: dict[str, Any], progress: Callable[[float], None]) -> dict[str, Any]:
    if job["job"] == "probe_many":
        return {"items": [_probe_one(Path(path), progress) for path in job["sources"]]}
    source = Path(job["source"])
    if job["job"] == "probe":
        from .probe import probe_file

        return probe_file(source)
    if job["job"] == "preview":
        from .preview import make_preview

        make_preview(source, Path(job["partial"]), int(job["side"]))
        return {"kept": True}
    outcome = _make(job, source, Path(job["partial"]), progress)
    return {
        "kept": outcome.kept,
        "reason": outcome.reason,
        "size": outcome.size,
        "note": outcome.note,
        "quality": outcome.quality,
    }


def _probe_one(path: Path, progress: Callable[[float], None]) -> dict[str, Any]:
    from .probe import probe_file

    progress(0.0)
    try:
        return probe_file(path)
    except PipelineError as err:
        return {"error": err.key, "detail": err.detail}
    except FileNotFoundError as err:
        return {"error": FileVanished.key, "detail": str(err)}
    except OSError as err:
        return {"error": MediaUnreadable.key, "detail": repr(err)}


def _make(
    job: dict[str, Any], source: Path, partial: Path, progress: Callable[[float], None]
) -> Outcome:
    """Write what the job asks for to ``partial``."""
    said = job.get("captions")
    captions = Captions(**{**said, "keywords": tuple(said["keywords"])}) if said else None
    if job["job"] == "video":
        from .video import compress_video

        return compress_video(
            source,
            partial,
            VideoPreset(**{**job["preset"], "codec": VideoCodec(job["preset"]["codec"])}),
            float(job["min_saving"]),
            container=job["format"],
            captions=captions,
            progress=progress,
        )
    preset = PhotoPreset(**{**job["preset"], "format": PhotoFormat(job["preset"]["format"])})
    if job["job"] == "motion":
        from .motion import make_motion_photo

        return make_motion_photo(source, Path(job["film"]), partial)
    if job["job"] == "share":
        from .share import make_share_copy

        return make_share_copy(source, partial, preset)
    from .photo import compress_photo

    return compress_photo(source, partial, preset, float(job["min_saving"]), captions)


class _Progress:
    """Tells the parent at most once a second that the job gets on."""

    def __init__(self, out: int) -> None:
        self._out = out
        self._next = 0.0

    def __call__(self, done: float) -> None:
        if (now := time.monotonic()) >= self._next:
            self._next = now + 1.0
            _answer(self._out, {"progress": round(done, 4)})


def _answer(out: int, answer: dict[str, Any]) -> None:
    line = json.dumps(answer).encode() + b"\n"
    while line:
        line = line[os.write(out, line) :]


def _read_job() -> dict[str, Any]:
    raw = b""
    while not raw.endswith(b"\n") and len(raw) < _LONGEST_JOB:
        if not (part := os.read(0, 1 << 16)):
            os._exit(3)
        raw += part
    job: dict[str, Any] = json.loads(raw)
    return job


def _limit(limits: dict[str, int]) -> None:
    """Take limits and the lowest priority; to be killed first for memory was inherited."""
    for what, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, limits["files"]),
        (resource.RLIMIT_CPU, limits["cpu"]),
        (resource.RLIMIT_FSIZE, limits["file_size"]),
        (resource.RLIMIT_AS, limits["memory"]),
    ):
        _, hard = resource.getrlimit(what)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)  # noqa: PLW2901
        # At the hard limit of processor time the kernel kills without saying why.
        top = hard if what == resource.RLIMIT_CPU else value
        resource.setrlimit(what, (value, top))
    with contextlib.suppress(OSError):
        os.nice(19)
    never_in_real_time()


def _end_with_parent(partial: Path | None) -> None:
    """Wait until standard input closes, then end at once and leave nothing behind."""
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    if partial:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    os._exit(3)


def _os_error_key(err: OSError, job: dict[str, Any]) -> str:
    if err.errno in _FULL:
        return TargetFull.key
    if err.errno == errno.ENOMEM:
        return MediaWorkerMemory.key
    if err.errno == errno.ENOENT and not Path(job.get("source", "/")).exists():
        return FileVanished.key
    return MediaUnreadable.key
