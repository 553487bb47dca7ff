"""What is asked of an rclone before it is relied on: who it is, what a remote is, what it sees."""

import asyncio
from datetime import datetime
from typing import Any, Final

from ..errors import PipelineError, RcloneNoPassword, RcloneTooOld, TargetUnreachable
from .outgoing import Outgoing
from .rclone_client import RcloneClient
from .rclone_config import RcloneTargetConfig
from .rclone_remote import WRAPPERS, Remote

_OLDEST: Final = (1, 65)
"""The oldest that this was tried with."""
_FOLLOW: Final = 5


async def check_rclone(rclone: RcloneClient) -> None:
    """Raises RcloneTooOld, RcloneNoPassword, and what any call raises."""
    version = await rclone.version()
    if version < _OLDEST:
        raise RcloneTooOld(f"rclone {'.'.join(map(str, version))}")
    loopback = rclone.host in {"localhost", "127.0.0.1", "::1"}
    if not loopback and not await rclone.asks_for_a_password():
        raise RcloneNoPassword("the remote control takes orders from anybody")


async def find_remote(rclone: RcloneClient, fs: str) -> Remote:
    """Follow aliases and wrappers to the remote that holds the bytes; ``fs`` is ``name:``."""
    if fs == "/":
        return Remote("local", "local", {}, "")
    name = fs.partition(":")[0]
    path = ""
    own_type: str | None = None
    options: dict[str, Any] = {}
    for _ in range(_FOLLOW):
        options = await rclone.call("config/get", name=name)
        kind = str(options.get("type") or "")
        if own_type is None and kind != "alias":
            own_type = kind
        if kind not in WRAPPERS:
            break
        inner = str(options.get("remote") or "")
        if inner.startswith("/"):
            return Remote(own_type or "local", "local", {}, "")
        name, _, below = inner.partition(":")
        path = f"{below.strip('/')}/{path}".strip("/")
    return Remote(own_type or "", str(options.get("type") or ""), options, name, path)


async def sees(rclone: RcloneClient, outgoing: Outgoing) -> bool:
    """Whether the file at this path over there is the one here: same size, same time.

    Whether its bytes are the same too is seen by the hash of what arrived.
    """
    try:
        stat = await asyncio.to_thread(outgoing.source.stat)
        answer = await rclone.call(
            "operations/stat",
            fs="/",
            remote=str(outgoing.source).lstrip("/"),
            opt={"filesOnly": True, "noMimeType": True},
        )
        item = answer.get("item") or {}
        theirs = datetime.fromisoformat(str(item["ModTime"])).timestamp()
    except TargetUnreachable:
        raise
    except OSError, PipelineError, KeyError, ValueError:
        return False
    return item.get("Size") == stat.st_size and abs(theirs - stat.st_mtime) < 1e-5


def pace(config: RcloneTargetConfig) -> dict[str, Any]:
    """Options with which rclone itself keeps the limit of a target, when it reads a file itself.

    For remotes that can't be streamed to: what we send slowly, rclone would gather and then send on
    as fast as it can. Its limit of a whole job (``BwLimit``) is heeded for all jobs or none, that
    of a file (``BwLimitFile``) for each; so the files under way share the limit out.
    """
    if config.bandwidth is None:
        return {}
    return {"BwLimitFile": f"{max(1, config.bandwidth // max(1, config.parallel))}B"}
