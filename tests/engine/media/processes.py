"""The processes below this one, and a fork server that is led astray."""

import os
from pathlib import Path

from custom_components.media_pipeline.engine.media.forks import default_command


def _parents() -> dict[int, int]:
    """Each living process and its parent."""
    found: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if fields[0] != "Z":
                found[int(entry.name)] = int(fields[1])
    return found


def servers() -> set[int]:
    """The fork servers of this process, and whatever else it started."""
    return {one for one, parent in _parents().items() if parent == os.getpid()}


def workers() -> set[int]:
    """What they forked, and what that started."""
    parents = _parents()
    found = above = {one for one, parent in parents.items() if parent == os.getpid()}
    while more := {one for one, parent in parents.items() if parent in found} - found:
        found = found | more
    return found - above


def led_astray(lead: str) -> tuple[str, ...]:
    """The command of the real server, which runs ``lead`` before it loads anything else."""
    *command, start, engine = default_command()
    begin, end = start.split("from engine.media.fork_server", 1)
    return *command, f"{begin}\n{lead}\nfrom engine.media.fork_server{end}", engine


LEFT_ALONE = (
    "print(json.dumps({'ok': True, 'result': {'kept': False, 'reason': 'png'}, "
    "'cpu_seconds': 1, 'peak_rss': 2}), flush=True)"
)
"""The answer of a worker that left a photo alone."""
_WORKER = """
import sys, types
def work():
    import json, os, sys, time
    job = json.loads(os.read(0, 65536))
    exec({code!r}, locals())
fake = types.ModuleType('engine.media.worker')
fake.main = work
sys.modules['engine.media.worker'] = fake
"""
_PHOTO = """
import sys, types
def astray(source, partial, *rest):
    import ctypes, os, pathlib, time
    {code}
fake = types.ModuleType('engine.media.photo')
fake.compress_photo = astray
sys.modules['engine.media.photo'] = fake
"""


def worker_astray(code: str) -> tuple[str, ...]:
    """A server whose children do this with their ``job`` instead of the worker's work."""
    return led_astray(_WORKER.format(code=code))


def photo_astray(code: str) -> tuple[str, ...]:
    """A server whose children, after they took their limits, do this with a photo."""
    return led_astray(_PHOTO.format(code=code.replace("\n", "\n    ")))
