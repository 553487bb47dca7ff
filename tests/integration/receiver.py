"""An action of Home Assistant that takes photos, as an integration registers one."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import voluptuous as vol
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import config_validation as cv

SCHEMA = vol.Schema({vol.Required("file"): cv.string}, extra=vol.ALLOW_EXTRA)


class Receiver:
    """An action ``test.take``, as an integration registers one."""

    def __init__(self, hass: HomeAssistant) -> None:
        self.calls: list[dict[str, Any]] = []
        self.bytes: list[bytes] = []
        self.error: Callable[[], Exception | None] = lambda: None
        self.delay = 0.0
        self._hass = hass
        hass.services.async_register("test", "take", self._take, schema=SCHEMA)

    async def _take(self, service_call: ServiceCall) -> None:
        data = dict(service_call.data)
        if (error := self.error()) is not None:
            raise error
        read = await self._hass.async_add_executor_job(Path(data["file"]).read_bytes)
        self.calls.append(data)
        self.bytes.append(read)
        await asyncio.sleep(self.delay)
