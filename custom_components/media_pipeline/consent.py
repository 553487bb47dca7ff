"""Waiting for the owner to approve web access on a device (Advanced Data Protection)."""

import asyncio
from typing import Final

from .engine.errors import ConsentRequired
from .engine.model import LibraryInfo
from .engine.sources.icloud.session import ICloudSession

APPROVE: Final = "approve"
"""Name of the progress text."""
PATIENCE: Final = 300.0
_PAUSE: Final = 4.0


async def async_wait_for_consent(session: ICloudSession) -> list[LibraryInfo]:
    """Send the request to the owner's devices once, then look now and then.

    Returns the libraries. Raises ConsentRequired when nobody approved within PATIENCE seconds, and
    what ``ICloudSession.libraries`` raises. The session's thread is free between two looks.
    """
    await session.ask_consent()
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE
    while True:
        try:
            return await session.libraries()
        except ConsentRequired:
            if loop.time() >= until:
                raise
        await asyncio.sleep(_PAUSE)
