"""One made photo all the way to a phone: sent, proven there, the phone told of it, removed."""

import asyncio
import hashlib
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory

from ..errors import CopyMismatch, PipelineError
from .base import ProofRequest, TargetIdentity
from .made_photo import make_photo
from .phone import PhoneTarget, PixelTargetConfig, Space
from .phone_scan import Told


@dataclass(frozen=True, slots=True)
class PhoneTrial:
    """How it went; what went wrong before the phone was told was raised."""

    space: Space
    window: int
    """Bytes of ours that may lie there."""
    told: Told
    """How the phone's apps come to see new files, if they do."""


async def try_phone(config: PixelTargetConfig, identity: TargetIdentity) -> PhoneTrial:
    """Raises what ``Target.open`` and ``Target.deliver`` raise, and CopyMismatch.

    Leaves the folder and its marker. Google Photos may keep the photo.
    """
    target = PhoneTarget(config, identity)
    with TemporaryDirectory(prefix="media-pipeline-") as folder:
        try:
            await target.open()
            return await _send_one(config, target, Path(folder) / "photo.jpg")
        finally:
            await target.close()


async def _send_one(config: PixelTargetConfig, target: PhoneTarget, photo: Path) -> PhoneTrial:
    data = await asyncio.to_thread(make_photo)
    await asyncio.to_thread(photo.write_bytes, data)
    sha256 = hashlib.sha256(data).hexdigest()
    space = await target.space()
    await target.take_room(0)
    name = f"media-pipeline-test-{token_hex(4)}.jpg"
    delivery = await target.deliver(photo, name, size=len(data), sha256=sha256, mtime=time.time())
    try:
        (proof,) = await target.prove([ProofRequest(delivery.path, len(data))])
        if proof.sha256 != sha256:
            raise CopyMismatch(f"the phone holds {proof.sha256}", path=name)
        told = await target.tell([delivery.path])
    finally:
        with suppress(PipelineError):
            await target.delete(delivery.path)
    return PhoneTrial(space, space.window(0, config.window_bytes), told)
